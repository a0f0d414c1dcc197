"""The smallest network that learns, and something to learn: for all tests of training it."""

from pathlib import Path

import numpy as np

from unisono.data.shards.loader import LoaderConfig
from unisono.data.shards.shard import Shard, ShardWriter
from unisono.train.loop import LoopConfig
from unisono.train.network import NetworkRecipe

RECIPE = NetworkRecipe(
    size="tiny",
    compile=False,
    task_shares={},
    loader=LoaderConfig(batch_size=4, row_length=64, block_ids=400, chained_share=0.0),
    loop=LoopConfig(
        num_steps=6,
        learning_rate=1e-2,
        warmup_steps=2,
        validate_every=3,
        device="cpu",
        bf16=False,
        muon=True,
    ),
)


def documents(folder: Path, num_documents: int, longer: int = 0) -> Shard:
    """Documents of 21 ids, each `longer` than the one before; ids from 100 on are codes, others words."""
    rng = np.random.default_rng(0)
    writer = ShardWriter(folder, 128)
    for number in range(num_documents):
        ids = np.concatenate([[number], rng.integers(10, 128, size=20 + longer * number)])
        writer.add(ids, np.arange(len(ids)) > 0, "even" if number % 2 == 0 else "odd")
    writer.close(text_end=100)
    return Shard(folder)
