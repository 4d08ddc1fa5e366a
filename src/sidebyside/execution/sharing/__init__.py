"""Runs that machines share: what a training and a launch take from others, and give them."""
