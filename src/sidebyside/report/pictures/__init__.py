"""Pictures as PNG: light, readable."""
