"""A language model over ids, under Hugging Face Qwen3 names. Has never heard of audio or pictures."""
