"""Commands that tell what a launch would do, and why."""
