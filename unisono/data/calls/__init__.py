"""Conversations with functions that a client offers, and JSON after a schema; all with known truth."""
