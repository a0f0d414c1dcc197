"""Measures of what the network hears, sees, says, draws and knows, by independent judges."""
