"""Documents -> packed rows of fixed length, each task with its share of them, each batch a pure function of
(seed, step).

The stream is cut into blocks of about `block_ids` ids. A block draws documents task by task (each task walks
through its own endless permutation), shuffles them and packs them greedily into rows. Documents in a row do
not see each other: positions restart and the attention mask is block-diagonal. A share of the rows is chained
instead: their documents are one long conversation, and positions jump at the seams, so that short rows teach
how to look over long distances (Zhu et al. 2024, "PoSE: Efficient context window extension of LLMs via
positional skip-wise training").

Shapes: B rows, T ids per row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from unisono.core.errors import UserError
from unisono.data.shards.shard import Shard

PAD = -100


@dataclass(frozen=True)
class LoaderConfig:
    """Rows per batch, ids per row, and how often each task is drawn."""

    batch_size: int = 8
    row_length: int = 512  # at 1024, attention took two thirds of a step on a CPU (2026-11-21)
    block_ids: int = 1_000_000
    seed: int = 1
    chained_share: float = (
        0.4  # of the rows: without any, a second question was answered with anything (17 % right, 2026-11-21)
    )
    reach: int = 2048  # positions that a chained row spreads over
    # Of the codes of speech, on average, are read as another one of the row: what a network reads of its own
    # voice is never as right as in training, and it went on with what it had just said more than with the
    # word that it was to say ("left of" became "above", 2026-11-22).
    misread_share: float = 0.08


class Loader:
    """Batches from a shard. `shares` of the ids by task, however much there is of each; 0 leaves a task out,
    and one that is not named has the least share there is. Without any, each task has as much as there is of
    it. `prompt`: ids that are put before every document."""

    def __init__(
        self,
        shard: Shard,
        config: LoaderConfig,
        shares: dict[str, float] | None = None,
        prompt: Sequence[int] = (),
    ) -> None:
        self.shard, self.config, self.prompt = shard, config, np.array(prompt, np.int64)
        lengths = shard.ends - shard.starts + len(prompt)
        fits = lengths <= config.row_length
        self.num_too_long = int((~fits).sum())
        self.pools, wanted = [], []
        least = min((share for share in (shares or {}).values() if share > 0), default=1.0)
        for number, name in enumerate(shard.task_names):
            pool = np.flatnonzero((shard.tasks == number) & fits)
            share = float(lengths[pool].sum()) if not shares else shares.get(name, least)
            if len(pool) and share > 0:
                self.pools.append(pool)
                wanted.append(share)
        if not self.pools:
            raise UserError(
                f"no document of at most {config.row_length} ids with a share above 0 in this shard; "
                f"raise loader.row_length or a share"
            )
        total = sum(wanted)
        means = [float(lengths[pool].mean()) for pool in self.pools]
        self.counts = [
            max(1, round(config.block_ids * share / total / mean)) for share, mean in zip(wanted, means)
        ]
        self.lengths = lengths
        self.speech: list[int] = shard.manifest.get("units", {}).get("audio", (0, 0))[:2]
        self.block = lru_cache(maxsize=2)(self._block)
        self.rows_per_block = self._rows_per_block()

    def _documents(self, block: int) -> np.ndarray:
        """Numbers of the documents of a block, shuffled."""
        chosen = [
            _walk(pool, block * count, count, (self.config.seed, task))
            for task, (pool, count) in enumerate(zip(self.pools, self.counts))
        ]
        return np.random.default_rng((self.config.seed, 7, block)).permutation(np.concatenate(chosen))

    def _rows_per_block(self) -> int:
        """The same for every block, so that a step can find its block without packing the ones before."""
        mean = sum(self.lengths[pool].mean() * count for pool, count in zip(self.pools, self.counts))
        return max(self.config.batch_size, int(mean * 0.97 / self.config.row_length))

    def _block(self, block: int) -> list[list[int]]:
        """Rows of the block as lists of document numbers: first row with room among the 40 youngest."""
        rows: list[list[int]] = []
        room: list[int] = []
        for document in self._documents(block):
            length = int(self.lengths[document])
            for number in range(max(0, len(rows) - 40), len(rows)):
                if room[number] >= length:
                    break
            else:
                number = len(rows)
                rows.append([])
                room.append(self.config.row_length)
            rows[number].append(int(document))
            room[number] -= length
        return rows

    def batch(self, step: int) -> dict[str, Tensor]:
        """-> ids (B, T), labels (B, T) shifted by one, positions (B, T), document numbers within rows (B,
        T).
        """
        first = step * self.config.batch_size
        rows = []
        for number in range(first, first + self.config.batch_size):
            packed = self.block(number // self.rows_per_block)
            row = self._row(packed[number % self.rows_per_block % len(packed)])
            row = self._chained(row, np.random.default_rng((self.config.seed, 11, number)))
            rows.append(self._misread(row, np.random.default_rng((self.config.seed, 13, number))))
        return {key: torch.from_numpy(np.stack([row[key] for row in rows])) for key in rows[0]}

    def _row(self, documents: list[int]) -> dict[str, np.ndarray]:
        size = self.config.row_length
        row = {
            "ids": np.zeros(size, np.int64),
            "labels": np.full(size, PAD, np.int64),
            "positions": np.zeros(size, np.int64),
            "documents": np.full(size, -1, np.int64),
        }
        at = 0
        for number, document in enumerate(documents):
            ids, learn = self.shard.document(document)
            ids = np.concatenate([self.prompt, ids])
            learn = np.concatenate([np.zeros(len(self.prompt), learn.dtype), learn])
            end = at + len(ids)
            row["ids"][at:end], row["documents"][at:end] = ids, number
            row["positions"][at:end] = np.arange(len(ids))
            row["labels"][at : end - 1] = np.where(learn[1:] == 1, ids[1:], PAD)
            at = end
        return row

    def _chained(self, row: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
        """The row, or in `chained_share` of the cases the same as one document whose parts lie far apart."""
        used = row["documents"] >= 0
        count = int(row["documents"].max()) + 1
        spare = self.config.reach - len(used)
        if rng.random() >= self.config.chained_share or spare <= 0:
            return row
        shifts = np.sort(rng.integers(0, spare + 1, count))
        positions = np.where(used, np.arange(len(used)) + shifts[row["documents"]], 0)
        return {**row, "positions": positions, "documents": np.where(used, 0, -1)}

    def _misread(self, row: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
        """The row with other codes of speech here and there, up to twice `misread_share` of them; what is to
        be learned stays right (after Bowman et al. 2016, "Generating sentences from a continuous space":
        words left out of what a decoder reads).
        """
        spoken = np.flatnonzero((row["ids"] >= self.speech[0]) & (row["ids"] < self.speech[1]))
        wrong = spoken[rng.random(len(spoken)) < rng.uniform(0, 2 * self.config.misread_share)]
        ids = row["ids"].copy()
        ids[wrong] = rng.choice(row["ids"][spoken], len(wrong)) if len(wrong) else 0
        return {**row, "ids": ids}


def _walk(pool: np.ndarray, start: int, count: int, seed: tuple[int, ...]) -> np.ndarray:
    """Entries start .. start + count of the endless sequence of permutations of `pool`."""
    rounds = range(start // len(pool), (start + count - 1) // len(pool) + 1)
    sequence = np.concatenate([np.random.default_rng((*seed, number)).permutation(pool) for number in rounds])
    offset = start - rounds.start * len(pool)
    return sequence[offset : offset + count]
