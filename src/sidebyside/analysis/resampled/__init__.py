"""Runs whose training images overlap: the folds of cross-validation."""
