"""Datasets: fetched, preprocessed, read."""
