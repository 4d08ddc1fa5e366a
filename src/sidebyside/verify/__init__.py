"""Whether what a study found comes out again."""
