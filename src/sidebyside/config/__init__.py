"""What can be chosen, and how it is composed and checked."""
