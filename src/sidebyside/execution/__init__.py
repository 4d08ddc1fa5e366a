"""Training and evaluating many runs."""
