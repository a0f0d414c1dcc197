"""An LLM from elsewhere as the start of a network: where it is found, and what has to be known of it."""
