"""Functions and JSON over the API: the calls that unseen functions need, and answers after unseen schemas.

The functions of data/calls whose split is test are in no shard: neither their names nor their schemas.
"""

import json
import random
from typing import Any

import httpx

from unisono.assess.quality.held_out import Bench
from unisono.assess.quality.marks import Numbers
from unisono.assess.speed.server import served
from unisono.assess.speed.streams import client
from unisono.core.progress import track
from unisono.core.record import mean_stderr
from unisono.data.calls import forms
from unisono.data.calls.conversations import Asked, ask_none, ask_one, ask_too_little, ask_two
from unisono.data.world.sayings import FAMILIES, ask

# Asked beside functions: what needs none. No question that it cannot know.
FAMILIAR = [family for family in FAMILIES if family != "unknown"]
Body = dict[str, Any]


def calls(bench: Bench) -> Numbers:
    """Right function, right arguments; no call where none fits; JSON that is valid, finished and right."""
    rng = random.Random("calls test")
    talk = [ask(rng, rng.choice(FAMILIAR))[:2] for _ in range(200)]
    with served(bench.omni.folder) as (port, _, _):
        api = client(port)
        one = [_called(api, ask_one("test", rng, talk)) for _ in track(range(bench.samples), "one call")]
        two = [_called(api, ask_two("test", rng, talk)) for _ in track(range(bench.samples), "two calls")]
        none = [_no_call(api, ask_none("test", rng, talk)) for _ in track(range(bench.samples), "none fits")]
        asks = [
            _no_call(api, ask_too_little("test", rng, talk)[0])
            for _ in track(range(bench.samples), "a value is missing")
        ]
        written = [_form(api, rng) for _ in track(range(bench.samples), "JSON")]
    return {
        "function": mean_stderr([name for name, _ in one]),
        "function_and_arguments": mean_stderr([right for _, right in one]),
        "two_calls": mean_stderr([right for _, right in two]),
        "no_call_where_none_fits": mean_stderr(none),
        "asks_for_what_is_missing": mean_stderr(asks),
        "json_valid_and_finished": mean_stderr([valid for valid, _ in written]),
        "json_right": mean_stderr([right for _, right in written]),
    }


def answered(api: httpx.Client, body: Body) -> Body:
    """The first choice of an answer."""
    reply = api.post("/chat/completions", json={"model": "unisono", "temperature": 0, **body})
    reply.raise_for_status()
    return reply.json()["choices"][0]


def _of(asked: Asked) -> Body:
    tools = [one.tool for one in asked.offered]
    return {"messages": [{"role": "user", "content": asked.text}], "tools": tools}


def _called(api: httpx.Client, asked: Asked) -> tuple[float, float]:
    """Whether the first function is right; whether all functions are, with all arguments."""
    return marked(answered(api, _of(asked)), asked)


def marked(choice: Body, asked: Asked) -> tuple[float, float]:
    """An answer's marks: the first function, everything."""
    made = [call["function"] for call in choice["message"].get("tool_calls") or []]
    first = bool(made) and made[0]["name"] == asked.wanted[0].offered.name
    found = [(call["name"], parsed(call["arguments"])) for call in made]
    right = found == [(one.offered.name, one.arguments) for one in asked.wanted]
    return float(first), float(right)


def _no_call(api: httpx.Client, asked: Asked) -> float:
    return float(not answered(api, _of(asked))["message"].get("tool_calls"))


def _form(api: httpx.Client, rng: random.Random) -> tuple[float, float]:
    """Whether the JSON is valid and finished; whether it is right."""
    made = forms.form("test", rng)
    messages = [{"role": one.role, "content": one.text} for one in forms.asked(made, rng)]
    told = {"name": "answer", "schema": made.schema, "strict": True}
    choice = answered(
        api, {"messages": messages, "response_format": {"type": "json_schema", "json_schema": told}}
    )
    value = parsed(choice["message"]["content"])
    return float(value is not None and choice["finish_reason"] == "stop"), float(value == made.answer)


def parsed(text: str | None) -> Any:
    """The value of a JSON text; None where it is none."""
    try:
        return json.loads(text or "")
    except ValueError:
        return None
