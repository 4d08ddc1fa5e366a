"""What decides a result: the recipe, how it is trained and how it is scored."""
