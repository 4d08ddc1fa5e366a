"""What is kept: runs, results, evidence and the journal."""
