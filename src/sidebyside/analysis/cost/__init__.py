"""What networks cost, and whether a smaller one is no worse."""
