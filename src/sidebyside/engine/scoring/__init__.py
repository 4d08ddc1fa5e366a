"""What decides the scores of a trained network; its digest is part of every evaluation."""
