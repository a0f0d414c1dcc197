"""Maximal update parametrization: layers of wide networks move as much as those of narrow ones."""

import math
from dataclasses import replace
from pathlib import Path

import crumb
import pytest
import torch
from coordinates import recipe_of, slopes

from unisono.core.errors import UserError
from unisono.data.shards.shard import Shard
from unisono.model.hf import load_pretrained
from unisono.train.loop import run
from unisono.train.network import NetworkProgram


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Shard:
    return crumb.documents(tmp_path_factory.mktemp("shard"), 8)


@pytest.mark.parametrize("muon", [False, True])
def test_coordinate_check(tmp_path: Path, muon: bool) -> None:
    """Flat with mup; in the standard parametrization what layers and head give moves more with the width."""
    flat, steep = (slopes(tmp_path / str(mup), mup, muon) for mup in (True, False))
    assert max(abs(flat["first"]), abs(flat["last"])) < 0.15 and -0.4 < flat["logits"] < 0.15, flat
    assert steep["logits"] > 0.6 and steep["last"] > 0.4 and steep["first"] > 0.2, steep


def test_at_its_own_width_it_changes_nothing(shard: Shard, tmp_path: Path) -> None:
    weights = []
    for mup in (0, 64):
        torch.manual_seed(0)
        program = NetworkProgram(replace(crumb.RECIPE, mup=mup), shard, shard)
        run(program, program.recipe.loop, tmp_path / str(mup))
        weights.append(load_pretrained(tmp_path / str(mup) / "network").state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_wide_network_is_saved_as_a_plain_folder(shard: Shard, tmp_path: Path) -> None:
    program = NetworkProgram(recipe_of(128, 64, True), shard, shard)
    assert math.isclose(program.width_ratio, 2)
    run(program, program.recipe.loop, tmp_path)
    ids = torch.arange(10)[None]
    again = load_pretrained(tmp_path / "network")
    torch.testing.assert_close(again.logits(again(ids)), program.model.logits(program.model.eval()(ids)))


def test_shapes_and_widths_that_are_none(shard: Shard, tmp_path: Path) -> None:
    recipe = crumb.RECIPE
    for changes, told in (
        ({"shape": {"depth": 3}}, "no field 'depth' in the shape of a size"),
        ({"shape": {"hidden_size": 64.5}}, "hidden_size must be a whole number"),
        ({"mup": -1}, "mup is the hidden_size"),
        ({"mup": 64, "start_from": str(tmp_path)}, "for networks that begin from nothing"),
    ):
        with pytest.raises(UserError, match=told):
            NetworkProgram(replace(recipe, **changes), shard, shard)
