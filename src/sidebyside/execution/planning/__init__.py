"""What a launch would do: which runs, how long, how large."""
