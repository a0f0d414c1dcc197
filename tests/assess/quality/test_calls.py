"""Marks of answers with calls: the function, its arguments, all of them."""

import json
import random
from typing import Any

from unisono.assess.quality.calls import marked, parsed
from unisono.assess.report.quality_rows import calls as rows
from unisono.data.calls.conversations import ask_two


def choice(*made: tuple[str, Any]) -> dict[str, Any]:
    """An answer of the API with these calls."""
    calls = [{"function": {"name": name, "arguments": json.dumps(given)}} for name, given in made]
    return {"message": {"content": None, "tool_calls": calls or None}, "finish_reason": "tool_calls"}


def test_calls_are_right_with_every_argument_or_not_at_all() -> None:
    asked = ask_two("test", random.Random(3), [("Hi.", "Hello.")])
    right = [(one.offered.name, one.arguments) for one in asked.wanted]
    assert marked(choice(*right), asked) == (1.0, 1.0)
    assert marked(choice(right[0]), asked) == (1.0, 0.0)
    assert marked(choice((right[0][0], {"odd": 1}), right[1]), asked) == (1.0, 0.0)
    assert marked(choice(("other", {}), right[1]), asked) == (0.0, 0.0)
    assert marked(choice(), asked) == (0.0, 0.0)
    assert parsed('{"a": 1') is None and parsed(None) is None and parsed("[1]") == [1]


def test_the_page_shows_calls() -> None:
    names = ("function", "function_and_arguments", "two_calls", "no_call_where_none_fits")
    names += ("asks_for_what_is_missing", "json_valid_and_finished", "json_right")
    shown = rows({name: {"mean": 0.5, "stderr": 0.05, "n": 100} for name in names})
    assert "right function 50 % ± 5" in shown[0][1] and "valid and finished 50 %" in shown[1][1]
