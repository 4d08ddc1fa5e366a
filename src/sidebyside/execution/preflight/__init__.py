"""What is tried before a sweep starts, so that nothing is trained for nothing."""
