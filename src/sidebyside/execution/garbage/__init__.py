"""What nobody needs any more in the run store."""
