"""Unisono: one network that hears, sees, reads, writes, speaks and draws."""
__version__ = "0.1.0"
