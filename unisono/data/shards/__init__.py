"""Token shards: how conversations become ids on disk, and how training reads them."""
