"""Tuning: what other policies would have earned on a recorded run, and better ones found from it."""
