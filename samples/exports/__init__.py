"""Training formats that a run's questions are written in, one a file."""
