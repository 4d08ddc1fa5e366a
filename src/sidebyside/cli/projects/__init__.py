"""A project of one's own: laid down, and added to."""
