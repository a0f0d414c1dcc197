"""Sound for training: voices, recordings, microphones, and sound as codes."""
