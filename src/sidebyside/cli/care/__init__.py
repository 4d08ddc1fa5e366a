"""Commands that look after a project."""
