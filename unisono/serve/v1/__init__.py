"""One file for each group of OpenAI's endpoints under /v1."""
