"""What decides the arrays of a dataset; its digest is part of them."""
