"""What a base says of itself: questions of every kind, answered by the base, kept short."""
