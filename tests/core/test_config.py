"""Configurations: overriding one field leaves the others alone; a wrong name or type is explained."""

from dataclasses import dataclass, field

import pytest

from unisono.core.config import override, to_json
from unisono.core.errors import UserError


@dataclass(frozen=True)
class Inner:
    steps: int = 10
    rate: float = 0.5
    fast: bool = False


@dataclass(frozen=True)
class Outer:
    name: str = "nano"
    levels: tuple[int, ...] = (7, 5)
    inner: Inner = Inner()
    weights: dict[str, float] = field(default_factory=lambda: {"a": 1.0})


@pytest.mark.parametrize(
    "assignment, path, value",
    [
        ("name=tiny", "name", "tiny"),
        ("name=", "name", ""),
        ('name="a=b"', "name", "a=b"),
        ("name=7", "name", "7"),
        ("name=true", "name", "true"),
        ("levels=[3, 3, 3]", "levels", (3, 3, 3)),
        ("inner.steps=3", "inner.steps", 3),
        ("inner.rate=2", "inner.rate", 2.0),
        ("inner.rate=1e-3", "inner.rate", 1e-3),
        ("inner.fast=true", "inner.fast", True),
        ("weights.b=2", "weights", {"a": 1.0, "b": 2.0}),
        ("weights.b.c=2", "weights", {"a": 1.0, "b.c": 2.0}),
    ],
)
def test_one_field_changes(assignment: str, path: str, value: object) -> None:
    before, after = Outer(), override(Outer(), [assignment])
    found: object = after
    for name in path.split("."):
        found = getattr(found, name)
    assert found == value and type(found) is type(value)
    assert before == Outer()
    changed = {
        name
        for name in ("name", "levels", "inner", "weights")
        if getattr(before, name) != getattr(after, name)
    }
    assert changed <= {path.split(".")[0]}


def test_later_assignments_win() -> None:
    assert override(Outer(), ["inner.steps=3", "inner.steps=4", "name=x"]) == Outer("x", inner=Inner(4))


@pytest.mark.parametrize(
    "assignment, message",
    [
        ("name", "expected FIELD=VALUE"),
        ("nam=x", "no field 'nam'; expected one of name, levels, inner, weights"),
        ("inner.step=3", "no field 'step'; expected one of steps, rate, fast"),
        ("name.x=3", "name has no fields"),
        ("inner.steps=2.5", "steps is int such as 10, got '2.5'"),
        ("inner.steps=many", "steps is int"),
        ("inner.steps=true", "steps is int"),
        ("inner.fast=1", "fast is bool"),
        ("inner.rate=true", "rate is float"),
        ("inner.rate=", "rate is float"),
        ("levels=3", "levels is tuple"),
        ("inner=3", "inner is a group; set one of its fields, such as inner.steps=..."),
        ("weights=3", "weights is a group; set one of its fields, such as weights"),
        ("weights.a=much", "a is float"),
        ("=3", "no field ''"),
    ],
)
def test_nonsense_is_explained(assignment: str, message: str) -> None:
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        override(Outer(), [assignment])


def test_json_holds_everything() -> None:
    assert to_json(Outer()) == {
        "name": "nano",
        "levels": (7, 5),
        "inner": {"steps": 10, "rate": 0.5, "fast": False},
        "weights": {"a": 1.0},
    }
