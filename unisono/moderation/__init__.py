"""How harmful a text sounds: phrases, and a classifier on the network's hidden states."""
