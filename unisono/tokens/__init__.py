"""Names of ids: what each number of the vocabulary stands for. Knows nothing of signals or networks."""
