"""Launches that go on without the terminal: started, looked at and stopped by their id."""
