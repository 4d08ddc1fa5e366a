"""What is published of a run; its digest decides whether that is complete."""
