"""Training the network: a crumb is learned by heart, saved as a Hugging Face folder, validated task by
task.
"""

import math
from dataclasses import replace
from pathlib import Path

import crumb
import pytest
import torch

from unisono.core.errors import UserError
from unisono.data.shards.shard import Shard
from unisono.model.hf import load_pretrained
from unisono.train.loop import run
from unisono.train.network import NetworkProgram, in_units

RECIPE = replace(
    crumb.RECIPE,
    loader=replace(crumb.RECIPE.loader, batch_size=2),
    loop=replace(crumb.RECIPE.loop, num_steps=60, warmup_steps=5, validate_every=60),
)


@pytest.fixture(scope="module")
def shard(tmp_path_factory) -> Shard:
    """Eight documents."""
    return crumb.documents(tmp_path_factory.mktemp("shard"), 8)


def test_a_crumb_is_learned_by_heart(shard: Shard, tmp_path: Path) -> None:
    program = NetworkProgram(RECIPE, shard, shard)
    before = program.validate()
    run(program, RECIPE.loop, tmp_path)
    after = program.validate()
    assert set(after) == {"even", "odd"}
    assert all(before[task] > 4 and after[task] < 0.3 for task in after)
    again = load_pretrained(tmp_path / "network")
    ids = torch.arange(10)[None]
    torch.testing.assert_close(again(ids), program.model.eval()(ids))


def test_a_network_that_is_stopped_after_each_step_becomes_the_same(shard: Shard, tmp_path: Path) -> None:
    recipe = replace(
        RECIPE, task_shares={"odd": 0.8}, loop=replace(RECIPE.loop, num_steps=4, validate_every=2, bf16=True)
    )
    whole = NetworkProgram(recipe, shard, shard)
    run(whole, recipe.loop, tmp_path / "whole")
    for _ in range(4):
        last = NetworkProgram(recipe, shard, shard)
        outcome = run(last, replace(recipe.loop, time_limit_s=1e-9), tmp_path / "parts")
    assert outcome.finished and all(
        torch.equal(a, b) for a, b in zip(whole.model.parameters(), last.model.parameters())
    )


def test_tasks_may_be_left_out_and_positions_end_where_the_network_does(shard: Shard) -> None:
    only = NetworkProgram(replace(RECIPE, tasks=("even",)), shard, shard)
    batch = only.batch(0)
    firsts = {
        int(ids[documents == number][0])
        for ids, documents in zip(batch["ids"], batch["documents"])
        for number in documents[documents >= 0].unique()
    }
    assert firsts and all(first % 2 == 0 for first in firsts)
    with pytest.raises(UserError, match="no task 'evn'.*even, odd"):
        NetworkProgram(replace(RECIPE, tasks=("evn",)), shard, shard)
    far = NetworkProgram(
        replace(RECIPE, loader=replace(RECIPE.loader, chained_share=1.0, reach=4096)), shard, shard
    )
    most = max(int(far.batch(step)["positions"].max()) for step in range(40))
    assert 64 < most < far.model.config.max_position_embeddings


def test_losses_are_told_in_units_of_what_they_are_of() -> None:
    losses, labels = torch.tensor([1.0, 2.0, 3.0, 4.0, 9.0]), torch.tensor([0, 1, 5, 6, 9])
    found = in_units(
        losses,
        labels,
        {"text": [0, 3, "byte", [2, 1, 7]], "audio": [5, 7, "s", 0.02], "image": [7, 9, "pixel", 64]},
    )
    assert found == {
        "text_bits_per_byte": pytest.approx(3 / math.log(2) / 3),
        "audio_bits_per_s": pytest.approx(7 / math.log(2) / 0.04),
    }


def test_finished_weights_may_hold_a_share_of_the_start(shard: Shard, tmp_path: Path) -> None:
    program = NetworkProgram(RECIPE, shard, shard)
    program.save(tmp_path / "start")
    recipe = replace(
        RECIPE,
        start_from=str(tmp_path / "start" / "network"),
        start_share=0.25,
        loop=replace(RECIPE.loop, num_steps=2),
    )
    again = NetworkProgram(recipe, shard, shard)
    run(again, recipe.loop, tmp_path)
    found = load_pretrained(tmp_path / "network").state_dict()
    for name, value in again.model.state_dict().items():
        torch.testing.assert_close(found[name], 0.75 * value + 0.25 * program.model.state_dict()[name])
        assert name.endswith("norm.weight") or not torch.equal(value, program.model.state_dict()[name])


def test_a_network_goes_on_with_more_layers(shard: Shard, tmp_path: Path) -> None:
    program = NetworkProgram(RECIPE, shard, shard)
    program.save(tmp_path / "start")
    recipe = replace(
        RECIPE,
        start_from=str(tmp_path / "start" / "network"),
        num_hidden_layers=3,
        start_share=0.5,
        loop=replace(RECIPE.loop, num_steps=2),
    )
    again = NetworkProgram(recipe, shard, shard)
    assert again.validate() == pytest.approx(program.validate(), abs=1e-5)
    run(again, recipe.loop, tmp_path)
    finished = load_pretrained(tmp_path / "network")
    assert len(finished.layers) == 3 and all(
        block.mlp.down_proj.weight.abs().sum() > 0 for block in finished.layers
    )


def test_a_packed_document_is_computed_as_if_alone(shard: Shard) -> None:
    program = NetworkProgram(RECIPE, shard, shard)
    batch = program.batch(0)
    losses, labels = program._losses(batch)
    alone = []
    for row in range(2):
        for number in batch["documents"][row][batch["documents"][row] >= 0].unique():
            where = (batch["documents"][row] == number).nonzero()[:, 0]
            ids = batch["ids"][row, where][None]
            alone += program.model.loss_per_id(ids[:, :-1], ids[:, 1:])[0].tolist()
    assert sorted(alone) == pytest.approx(sorted(losses.tolist()), abs=1e-4)
    assert len(labels) == len(losses)


def test_words_weigh_more_than_codes(shard: Shard) -> None:
    heavy = NetworkProgram(replace(RECIPE, text_weight=5.0), shard, shard)
    batch = heavy.batch(0)
    losses, labels = heavy._losses(batch)
    weights = torch.where(labels < 100, 5.0, 1.0)
    loss, numbers = heavy.loss(batch, 0)
    torch.testing.assert_close(loss, (losses * weights).sum() / weights.sum())
    assert set(numbers) == {"loss", "words", "codes"}
