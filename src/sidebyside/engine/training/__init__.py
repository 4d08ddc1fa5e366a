"""What decides the bits of a trained network; its digest is part of every run key."""
