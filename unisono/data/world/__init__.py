"""The small world: scenes, words, motions and questions with known truth."""
