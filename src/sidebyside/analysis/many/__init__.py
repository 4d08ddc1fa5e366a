"""Studies of many variants: which pairs are tested, factors without the cost of a large model."""
