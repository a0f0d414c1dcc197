"""Programs that train: one loop, and for each thing to train a loss, data and defaults."""
