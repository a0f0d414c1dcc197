"""Measures of speed and memory, beside peers."""
