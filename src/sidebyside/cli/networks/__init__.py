"""Commands that look at networks, and at the images that they are for."""
