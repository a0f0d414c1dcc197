"""What of a long conversation the network still gets: the newest, never an answer without its call, and what
went stays away.
"""

from types import SimpleNamespace

import pytest

from unisono.serve.realtime.context import Context
from unisono.serve.realtime.items import Item
from unisono.serve.wire.errors import ApiError
from unisono.tokens.template import Template
from unisono.tokens.text import TextTokenizer
from unisono.tokens.vocab import Vocabulary

VOCAB = Vocabulary(300, 50, 40)
USER, TOOL, ASSISTANT, END = (VOCAB.id(f"<|{name}|>") for name in ("user", "tool", "assistant", "end"))
HEAD = [7, 8, 9]
TEMPLATE = Template(VOCAB, TextTokenizer.train([], 256))


def context(length: int, trained: int = 1000) -> Context:
    service = SimpleNamespace(
        vocab=VOCAB,
        trained_length=trained,
        scheduler=SimpleNamespace(engine=SimpleNamespace(max_length=length)),
        prompt=lambda messages, spec, begin_reply: HEAD,
        tokenizer=SimpleNamespace(template=TEMPLATE),
    )
    return Context(service)


def settings(truncation: object = "auto") -> SimpleNamespace:
    return SimpleNamespace(
        session={"instructions": "", "truncation": truncation},
        toolbox=SimpleNamespace(tools=[]),
        plan=lambda: SimpleNamespace(outputs=("text",), voice="heart"),
    )


def item(name: str, size: int, role: str = "user") -> Item:
    return Item(name, "message", role, body=[size] * size)


def turn(role: int, size: int) -> list[int]:
    return [role, *[size] * size, END]


def test_what_fits_stays_whole() -> None:
    assert context(100).prompt(settings(), [item("a", 20), item("b", 21)], begin_reply=True) == [
        *HEAD,
        *turn(USER, 20),
        *turn(USER, 21),
        ASSISTANT,
    ]
    assert context(100).prompt(settings(), [item("a", 20), item("b", 21)], is_open=True) == [
        *HEAD,
        *turn(USER, 20),
        *turn(USER, 21)[:-1],
    ]


def test_the_oldest_go_and_stay_away() -> None:
    made, items = (
        context(100),
        [item("a", 30), item("b", 31), item("c", 12)],
    )  # 75 ids may be a prompt; then 56 are kept
    shortened = [*HEAD, *turn(USER, 31), *turn(USER, 12)]
    assert made.prompt(settings(), items, is_lasting=False) == shortened and made.dropped is None
    assert made.prompt(settings(), items) == shortened and made.dropped == "a"
    assert made.prompt(settings(), items[:2]) == [*HEAD, *turn(USER, 31)]  # "a" would fit again
    assert made.prompt(settings(), items[:1], is_own=False) == [*HEAD, *turn(USER, 30)]


def test_an_answer_goes_with_its_call() -> None:
    items = [item("call", 60, "assistant"), item("one", 4, "tool"), item("two", 5, "tool"), item("now", 6)]
    made = context(100)
    assert made.prompt(settings(), items) == [*HEAD, *turn(USER, 6)] and made.dropped == "two"


def test_a_client_says_how_much_is_kept_and_whether() -> None:
    items = [item(name, 20) for name in "abcd"]
    assert context(100).prompt(
        settings({"type": "retention_ratio", "retention_ratio": 0.4}), list(items)
    ) == [*HEAD, *turn(USER, 20)]
    with pytest.raises(ApiError, match="too long: the network holds 100 ids"):
        context(100).prompt(settings("disabled"), items)


def test_one_item_may_take_more_than_was_trained_but_not_more_than_there_is() -> None:
    assert context(200, trained=40).prompt(settings(), [item("a", 100)]) == [*HEAD, *turn(USER, 100)]
    with pytest.raises(ApiError, match="too long"):
        context(100).prompt(settings(), [item("a", 90)])
