"""Who speaks: embeddings of voices, and what is decided by them."""
