"""What is made of probabilities by each metric, those of one's own among them."""
