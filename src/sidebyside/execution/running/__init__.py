"""What is being trained now, for whoever asks from another terminal."""
