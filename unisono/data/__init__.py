"""Makes the training data: the small world, speech, texts, token shards."""
