"""Conversations with functions, whose calls and answers are known.

Functions are told to the network and calls are written exactly as the server does it: serve/reply/plan.py and
tokens/phrases.py.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from unisono.data.calls.functions import Function, Parameter, functions_of
from unisono.data.calls.request import Offered, Wanted, can_miss, offer, request, tidy, told
from unisono.data.calls.values import Value, draw
from unisono.data.world.instructions import instructions
from unisono.tokens.message import Message, Part, Text

MAX_LETTERS = 1100  # of the lines of the functions: a conversation has to fit into a row
MAX_OFFERED = 5
INSTRUCTED = 0.25
CALLING = (
    "You can call functions. Call one whenever it fits.",
    "Use the tools when they help; answer in words otherwise.",
    "You are a helpful assistant with access to tools.",
    "Decide whether a function is needed. If not, just answer.",
)
REFUSALS = (
    "None of my functions can do that.",
    "I have no function for that.",
    "I cannot do that with the functions that I have.",
    "That is not something that I can do here.",
)
QUESTIONS = (
    "What is the {}?",
    "Please tell me the {}.",
    "I still need the {}. What is it?",
    "Which {} should I use?",
)
GIVEN = ("{}", "{}.", "It is {}.", "Take {}.")
# What a tool says that failed, and what it means.
ERRORS = (
    ("not found", "nothing was found"),
    ("permission denied", "I do not have the permission"),
    ("service unavailable", "the service is not available now"),
    ("timeout", "it took too long"),
    ("rate limit exceeded", "there were too many requests"),
    ("invalid value", "one of the values is not valid"),
    ("connection lost", "the connection was lost"),
    ("already exists", "it exists already"),
)
SORRY = ("That did not work: {}.", "I could not do that: {}.", "Sorry, {}.", "It failed, because {}.")
JOINING = ("Also, {}", "And {}", "Then {}", "Besides, {}")
Talk = Sequence[tuple[str, str]]


def any_function(split: str, rng: random.Random) -> Function:
    """One of a split; those by hand are fewer than those by grammar, and as often."""
    by_hand = [one for one in functions_of(split) if one.is_by_hand]
    return rng.choice(by_hand if by_hand and rng.random() < 0.5 else functions_of(split))


def offered_with(function: Function, split: str, rng: random.Random, count: int) -> list[Offered]:
    """The function, first, and at most `count` others of the same split, all with different names."""
    found = [offer(function, rng)]
    letters = len(found[0].line)
    near = [one for one in functions_of(split) if one.domain == function.domain]
    for _ in range(count):
        other = offer(rng.choice(near) if rng.random() < 0.3 else any_function(split, rng), rng)
        letters += len(other.line)
        if letters > MAX_LETTERS:
            break
        if other.function not in [one.function for one in found] and other.name not in {
            o.name for o in found
        }:
            found.append(other)
    return found


def system(offered: Sequence[Offered], rng: random.Random) -> Message:
    """What a client tells the network first, and a line for each function."""
    before = []
    if rng.random() < INSTRUCTED:
        before = [rng.choice(CALLING) if rng.random() < 0.6 else instructions(rng)]
    lines = [one.line for one in rng.sample(list(offered), len(offered))]
    return Message("system", [Text("\n".join([*before, *lines]))])


def user(text: str) -> Message:
    return Message("user", [Text(text)])


def says(text: str) -> Message:
    return Message("assistant", [Text(text)])


def calls(*wanted: Wanted) -> Message:
    return Message("assistant", list[Part](one.call for one in wanted))


def result_of(wanted: Wanted, rng: random.Random) -> tuple[Message, str]:
    """What the function gives back, and the answer that follows from it."""
    function = wanted.offered.function
    given: dict[str, Value] = {name: draw(kind, rng) for name, kind in function.result}
    members = {name: value.json for name, value in given.items()}
    # What was not said has no name: "it" stands for it.
    known = {one.name: Value("it", None) for one in function.parameters} | wanted.values | given
    return Message("tool", [Text(json.dumps(members, ensure_ascii=False))]), told(function.answer, known)


def lowered(text: str) -> str:
    """As it goes on after another word; "I" stays, and so do names."""
    first = text.split()[0]
    return text if first in ("I", "I'd") or first[1:2].isupper() else text[0].lower() + text[1:]


@dataclass(frozen=True)
class Asked:
    """A request: which functions are offered, what is said, the right calls, or the answer."""

    offered: Sequence[Offered]
    text: str
    wanted: tuple[Wanted, ...]
    answer: str = ""


def ask_one(split: str, rng: random.Random, talk: Talk) -> Asked:
    """For one call."""
    offered = offered_with(any_function(split, rng), split, rng, rng.choice((0, 1, 1, 2, 3, MAX_OFFERED)))
    wanted = request(offered[0], rng)
    return Asked(offered, wanted.text, (wanted,))


def ask_two(split: str, rng: random.Random, talk: Talk) -> Asked:
    """For two calls in one turn: of two functions, or of one with other values."""
    offered = offered_with(any_function(split, rng), split, rng, rng.choice((1, 2, 3)))
    first = request(offered[0], rng)
    second = request(offered[0] if len(offered) == 1 or rng.random() < 0.5 else offered[1], rng)
    text = first.text if first.text[-1] in ".?!" else first.text + "."
    other = second.text if rng.random() < 0.5 else rng.choice(JOINING).format(lowered(second.text))
    return Asked(offered, f"{text} {other}", (first, second))


def ask_none(split: str, rng: random.Random, talk: Talk) -> Asked:
    """For something that none of the functions does."""
    offered = offered_with(any_function(split, rng), split, rng, rng.choice((0, 1, 2, 3)))
    domains = {one.function.domain for one in offered}
    others = [one for one in functions_of(split) if one.domain not in domains]
    if not others or rng.random() < 0.7:
        question, answer = rng.choice(talk)
        return Asked(offered, question, (), answer)
    return Asked(offered, request(offer(rng.choice(others), rng), rng).text, (), rng.choice(REFUSALS))


@lru_cache(maxsize=3)
def incomplete(split: str) -> tuple[Function, ...]:
    """Functions of a split that can be asked for with a value too little; the validation has none."""
    return tuple(one for one in functions_of(split) if can_miss(one))


def ask_too_little(split: str, rng: random.Random, talk: Talk) -> tuple[Asked, Parameter]:
    """For a call that needs one value more -> and which."""
    function = rng.choice(incomplete(split))
    offered = offered_with(function, split, rng, rng.choice((0, 1, 2)))
    name = rng.choice(can_miss(function))
    wanted = request(offered[0], rng, name)
    (parameter,) = [one for one in function.parameters if one.name == name]
    question = rng.choice(QUESTIONS).format(parameter.label)
    return Asked(offered, wanted.text, (wanted,), question), parameter


def called(asked: Asked, rng: random.Random) -> list[Message]:
    """The request, its calls, their results and the answer."""
    results = [result_of(one, rng) for one in asked.wanted]
    answer = says(" ".join(answer for _, answer in results))
    return [user(asked.text), calls(*asked.wanted), *(message for message, _ in results), answer]


def single(split: str, rng: random.Random, talk: Talk) -> list[Message]:
    """One call; mostly its result and the answer, sometimes a second request or small talk after it."""
    asked = ask_one(split, rng, talk)
    messages = [system(asked.offered, rng), *called(asked, rng)]
    if rng.random() < 0.2:
        return messages[:3]
    if rng.random() < 0.25:
        second = request(rng.choice(asked.offered), rng)
        messages += called(Asked(asked.offered, second.text, (second,)), rng)
    if rng.random() < 0.15:
        question, answer = rng.choice(talk)
        messages += [user(question), says(answer)]
    return messages


def two(split: str, rng: random.Random, talk: Talk) -> list[Message]:
    """Two calls in one turn, both results, one answer."""
    asked = ask_two(split, rng, talk)
    return [system(asked.offered, rng), *called(asked, rng)]


def none_fits(split: str, rng: random.Random, talk: Talk) -> list[Message]:
    """An answer in words, or that it cannot be done."""
    asked = ask_none(split, rng, talk)
    return [system(asked.offered, rng), user(asked.text), says(asked.answer)]


def missing(split: str, rng: random.Random, talk: Talk) -> list[Message]:
    """A value that the call needs was not said, so it is asked for."""
    asked, parameter = ask_too_little(split, rng, talk)
    (wanted,) = asked.wanted
    value = draw(parameter.kind, rng)
    values = {**wanted.values, parameter.name: value}
    names = [one.name for one in wanted.offered.function.parameters]
    arguments = {name: values[name].json for name in names if name in values}
    given = tidy(rng.choice(GIVEN).format(value.said))
    whole = Asked(asked.offered, given, (Wanted(wanted.offered, given, arguments, values),))
    messages = [system(asked.offered, rng), user(asked.text), says(asked.answer)]
    return [*messages, *called(whole, rng)]


def failing(split: str, rng: random.Random, talk: Talk) -> list[Message]:
    """The function gives back an error."""
    asked = ask_one(split, rng, talk)
    error, meaning = rng.choice(ERRORS)
    forms = (
        json.dumps({"error": error}),
        json.dumps({"status": "error", "message": error}),
        f"Error: {error}",
    )
    answer = rng.choice(SORRY).format(meaning)
    result = Message("tool", [Text(rng.choice(forms))])
    return [system(asked.offered, rng), user(asked.text), calls(*asked.wanted), result, says(answer)]


FORMS: dict[str, tuple[float, Callable[[str, random.Random, Talk], list[Message]]]] = {
    "single": (0.45, single),
    "two": (0.15, two),
    "none fits": (0.2, none_fits),
    "missing": (0.1, missing),
    "failing": (0.1, failing),
}


def conversation(split: str, rng: random.Random, talk: Talk) -> list[Message]:
    """A conversation with functions of a split. `talk`: questions that need no function, with answers."""
    there = [form for name, form in FORMS.items() if name != "missing" or incomplete(split)]
    _, make = rng.choices(there, [share for share, _ in there])[0]
    return make(split, rng, talk)


def conversations(split: str, count: int, seed: int, talk: Talk) -> Iterator[list[Message]]:
    """`count` of them, of a seed."""
    rng = random.Random(f"calls {seed} {split}")
    for _ in range(count):
        yield conversation(split, rng, talk)
