"""What may be wrong with a machine or a project, each looked at by a function of its own."""
