"""What a command line says, and the sentences for what it can't mean."""
