"""The loader: batches depend on (seed, step) alone, documents stay whole and apart, weights are kept."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from unisono.core.errors import UserError
from unisono.data.shards.loader import PAD, Loader, LoaderConfig
from unisono.data.shards.shard import Shard, ShardWriter

CONFIG = LoaderConfig(batch_size=2, row_length=64, block_ids=2000, chained_share=0.0)


@pytest.fixture(scope="module")
def shard(tmp_path_factory) -> Shard:
    """Document n consists of the ids n, n, n, ... so that its pieces are known wherever they turn up."""
    folder: Path = tmp_path_factory.mktemp("shard")
    rng = np.random.default_rng(0)
    writer = ShardWriter(folder, 1000)
    for number in range(200):
        length = int(rng.integers(3, 40))
        writer.add(np.full(length, number), np.arange(length) >= 2, "even" if number % 2 == 0 else "odd")
    writer.add(np.full(100, 999), np.ones(100), "odd")
    writer.close()
    return Shard(folder)


def test_a_batch_is_a_function_of_seed_and_step(shard: Shard) -> None:
    first, second = Loader(shard, CONFIG), Loader(shard, CONFIG)
    for step in (50, 3, 0):
        a, b = first.batch(step), second.batch(step)
        assert all(torch.equal(a[key], b[key]) for key in a)
    assert not torch.equal(first.batch(0)["ids"], first.batch(1)["ids"])
    assert not torch.equal(first.batch(0)["ids"], Loader(shard, replace(CONFIG, seed=2)).batch(0)["ids"])


def test_nearly_all_documents_come_about_equally_often(shard: Shard) -> None:
    """A few at the end of each block do not: every block has as many rows, however well they were packed."""
    loader, seen = Loader(shard, CONFIG, {"odd": 0.0}), Counter[int]()
    num_blocks = 10
    for step in range(num_blocks * loader.rows_per_block // CONFIG.batch_size):
        batch = loader.batch(step)
        for ids, documents in zip(batch["ids"], batch["documents"]):
            seen.update(int(ids[documents == number][0]) for number in documents[documents >= 0].unique())
    assert (
        len(seen) == 100
        and 0.88 * num_blocks * loader.counts[0] < sum(seen.values()) <= num_blocks * loader.counts[0]
    )


def test_documents_are_whole_and_do_not_touch(shard: Shard) -> None:
    loader = Loader(shard, CONFIG)
    assert loader.num_too_long == 1
    for step in range(20):
        batch = loader.batch(step)
        for ids, labels, positions, documents in zip(
            *(batch[k] for k in ("ids", "labels", "positions", "documents"))
        ):
            for number in documents[documents >= 0].unique():
                where = documents == number
                true, learn = shard.document(int(ids[where][0]))
                assert torch.equal(ids[where], torch.from_numpy(true))
                assert torch.equal(positions[where], torch.arange(len(true)))
                expected = [int(i) if on else PAD for i, on in zip(true[1:], learn[1:])] + [PAD]
                assert labels[where].tolist() == expected


def test_chained_rows_are_one_conversation_over_a_long_reach(shard: Shard) -> None:
    plain = Loader(shard, CONFIG).batch(4)
    chained = Loader(shard, replace(CONFIG, chained_share=1.0, reach=300)).batch(4)
    assert torch.equal(plain["ids"], chained["ids"]) and torch.equal(plain["labels"], chained["labels"])
    for before, documents, positions in zip(plain["documents"], chained["documents"], chained["positions"]):
        used = before >= 0
        assert (documents[used] == 0).all() and (documents[~used] == -1).all()
        steps, seam = positions[used].diff(), before[used].diff() != 0
        assert (steps[~seam] == 1).all() and (steps[seam] >= 1).all() and (steps[seam] > 1).any()
        assert positions.max() < 300
    kinds = [
        int(row.max())
        for step in range(40)
        for row in Loader(shard, replace(CONFIG, chained_share=0.25)).batch(step)["documents"]
    ]
    assert 0.1 < kinds.count(0) / len(kinds) < 0.4


def test_every_document_is_seen_before_any_is_seen_three_times(shard: Shard) -> None:
    loader = Loader(shard, CONFIG, {"odd": 0.0})
    seen: Counter[int] = Counter()
    for block in range(3):
        seen.update(int(shard.document(d)[0][0]) for row in loader.block(block) for d in row)
    assert all(number % 2 == 0 for number in seen)
    assert len(seen) == 100 and max(seen.values()) - min(seen.values()) <= 1


@pytest.mark.parametrize(
    ("shares", "odd"),
    [(None, 0.5), ({"odd": 0.3, "even": 0.1}, 0.75), ({"odd": 0.2}, 0.5), ({"even": 8.0, "odd": 2.0}, 0.2)],
)
def test_each_task_has_its_share_of_the_ids(
    shard: Shard, shares: dict[str, float] | None, odd: float
) -> None:
    loader = Loader(shard, CONFIG, shares)
    documents = [
        shard.document(number)[0] for block in range(3) for row in loader.block(block) for number in row
    ]
    found = sum(len(ids) for ids in documents if ids[0] % 2) / sum(map(len, documents))
    assert found == pytest.approx(odd, abs=0.05)


def test_nothing_left_is_an_error(shard: Shard) -> None:
    with pytest.raises(UserError, match="share above 0"):
        Loader(shard, CONFIG, {"odd": 0.0, "even": 0.0})


def test_some_codes_of_speech_are_read_as_others_and_learned_as_they_are(tmp_path: Path) -> None:
    writer, rng = ShardWriter(tmp_path, 1000), np.random.default_rng(0)
    for _ in range(100):
        ids = np.concatenate([rng.integers(0, 500, 15), rng.integers(500, 900, 15)])
        writer.add(ids, np.ones(30), "speak")
    writer.close(units={"audio": [500, 900, "s", 0.02]})
    shard = Shard(tmp_path)
    right, wrong, again = (Loader(shard, replace(CONFIG, misread_share=share)) for share in (0.0, 0.1, 0.1))
    differ, spoken = 0, 0
    for step in range(20):
        a, b = right.batch(step), wrong.batch(step)
        other = a["ids"] != b["ids"]
        assert all(torch.equal(a[key], b[key]) for key in ("labels", "positions", "documents"))
        assert torch.equal(b["ids"], again.batch(step)["ids"]) and bool(((b["ids"] >= 500) | ~other).all())
        differ, spoken = differ + int(other.sum()), spoken + int((a["ids"] >= 500).sum())
        assert not other[a["ids"] < 500].any()
    assert 0.07 < differ / spoken < 0.13
