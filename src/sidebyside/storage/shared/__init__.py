"""A store that several machines share: finished runs, checkpoints of others, processed data."""
