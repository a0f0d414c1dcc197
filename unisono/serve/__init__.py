"""The server: one network behind the API that people's clients already call."""
