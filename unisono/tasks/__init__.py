"""What is asked of a network and how its answers are scored."""
