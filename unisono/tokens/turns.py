"""What stands between the messages of a conversation: our own marks, or what the chat template of a base
writes.

A base is an LLM that became an omni network (`--init`). Its template is rendered once, with placeholders for
the messages, and taken apart into what opens and what closes a turn. The result is a small table that is
stored beside the network, so that serving needs neither jinja nor the template.

A piece is an id, or text that is encoded together with the words beside it: "\\n" and a message that begins
with a line break are one id in many vocabularies.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from pathlib import Path
from typing import Any

from unisono.core.errors import UserError
from unisono.tokens.message import ROLES
from unisono.tokens.vocab import END, Vocabulary

FILE = "turns.json"
START = "start"  # before the first message
STOP = "stop"  # after the last message of a conversation that is whole
REPLY = "reply"  # the last message, where it is the assistant's: some templates open it in another way
BEGIN = "begin"  # a reply that is about to be made
Piece = int | str
Pieces = tuple[Piece, ...]
Render = Callable[[list[dict[str, str]], bool], str]  # messages, whether a reply begins after them
PLACE = "\ue000{}\ue001"  # a placeholder; private characters, which no template changes
TALKS = (
    ("user",),
    ("user", "assistant"),
    ("user", "assistant", "user"),
    ("user", "assistant", "user", "assistant"),
    ("user", "assistant", "user", "assistant", "user"),
)
BEFORE: dict[str, tuple[str, ...]] = {
    "system": (),
    "user": (),
    "assistant": ("user",),
    "tool": ("user", "assistant"),
}


@dataclass(frozen=True)
class Turns:
    """`closing`: role -> what follows its messages.

    `opening`: (role before, role) -> what stands before a message.

    The role before may be START, the role may be STOP, REPLY or BEGIN. `is_trimmed`: whether messages lose
    the blanks around them.
    """

    closing: dict[str, Pieces]
    opening: dict[tuple[str, str], Pieces]
    is_trimmed: bool = False

    @classmethod
    def own(cls, vocab: Vocabulary) -> "Turns":
        """One special id before a message and one after it."""
        opening: dict[tuple[str, str], Pieces] = {}
        for before, role in product((START, *ROLES), ROLES):
            opening[before, role] = (vocab.id(f"<|{role}|>"),)
        for before in (START, *ROLES):
            opening[before, REPLY] = opening[before, BEGIN] = (vocab.id("<|assistant|>"),)
        return cls({role: (vocab.id(END),) for role in ROLES}, opening)

    def open(self, before: str, role: str) -> Pieces:
        """What stands before a message, without what closes the one before; nothing where a conversation
        stops.
        """
        # The others: a template that wants user and assistant by turns says nothing of other orders.
        known = [
            (other, role) for other in (before, "assistant", "user", START) if (other, role) in self.opening
        ]
        return self.opening[known[0]] if known and (role != STOP or known[0][0] == before) else ()

    def begun_with(self, prompt: Sequence[int]) -> "Turns":
        """The same turns, with the ids of a prompt before the first of a conversation."""
        roles = (*ROLES, REPLY, BEGIN)
        opening = {(before, role): self.open(before, role) for before, role in product(ROLES, roles)}
        opening |= {(START, role): (*prompt, *self.open(START, role)) for role in roles}
        return replace(self, opening={**self.opening, **opening})

    def close(self, role: str) -> Pieces:
        """What follows a message."""
        return self.closing[role]

    def save(self, path: str | Path) -> None:
        """Writes the table as JSON."""
        opening = {f"{before} {role}": pieces for (before, role), pieces in self.opening.items()}
        Path(path).write_text(
            json.dumps({"closing": self.closing, "opening": opening, "is_trimmed": self.is_trimmed}, indent=1)
            + "\n"
        )

    @classmethod
    def load(cls, path: str | Path) -> "Turns":
        """Reads what `save` wrote; UserError where it is damaged."""
        try:
            stored = json.loads(Path(path).read_text())
            closing = {role: tuple(stored["closing"][role]) for role in ROLES}
            opening = {tuple(key.split(" ")): tuple(pieces) for key, pieces in stored["opening"].items()}
            is_trimmed = bool(stored["is_trimmed"])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(
                f"{path} is damaged: expected what opens and closes each turn; make it anew"
            ) from None
        if not {("assistant", "user"), ("user", BEGIN)} <= opening.keys():
            raise UserError(f"{path} is damaged: it says nothing of turns of the user; make it anew")
        return cls(closing, opening, is_trimmed)


def taken_apart(render: Render, specials: dict[str, int], vocab: Vocabulary) -> Turns:
    """The table of a base's template. `specials`: its special tokens and their ids.

    UserError for a template that does not write message after message, or that ends no reply with a special
    token.
    """
    between: dict[tuple[str, str], str] = {}
    for talk in TALKS:
        for roles in (talk, ("system", *talk)):
            for key, text in _between(render, roles):
                if between.setdefault(key, text) != text:
                    raise UserError(
                        "the chat template of this base writes a turn otherwise in longer "
                        "conversations; choose another base"
                    )
    for before, role in product(ROLES, ROLES):  # orders that some templates refuse
        try:
            found = _between(render, (*BEFORE[before], before, role))
        except UserError:
            continue
        for key, text in found:
            between.setdefault(key, text)
    is_trimmed = f" {PLACE} " not in render([{"role": "user", "content": f" {PLACE} "}], True)
    return replace(
        _table({key: split(text, specials) for key, text in between.items()}, vocab), is_trimmed=is_trimmed
    )


def _between(render: Render, roles: Sequence[str]) -> list[tuple[tuple[str, str], str]]:
    """((role before, role), what the template writes between them), for all of a conversation."""
    messages = [{"role": role, "content": PLACE.format(number)} for number, role in enumerate(roles)]
    is_begun = roles[-1] != "assistant"
    left, texts = render(messages, is_begun), []
    for message in messages:
        text, found, left = left.partition(message["content"])
        if not found or message["content"] in left:
            raise UserError(
                "the chat template of this base does not write each message once, in order; choose "
                "another base"
            )
        texts.append(text)
    named = [START, *roles, BEGIN if is_begun else STOP]
    if not is_begun:
        keys = [*pairwise(named[:-2]), (named[-3], REPLY), ("assistant", STOP)]
    else:
        keys = list(pairwise(named))
    return list(zip(keys, [*texts, left], strict=True))


def _table(between: dict[tuple[str, str], Pieces], vocab: Vocabulary) -> Turns:
    """Splits what stands between two messages into the end of the first and the beginning of the second."""
    closing: dict[str, Pieces] = {}
    for role in ROLES:
        after = [pieces for (before, _), pieces in between.items() if before == role]
        closing[role] = after[0][:1] if after and len({pieces[:1] for pieces in after}) == 1 else ()
        closing[role] = tuple(piece for piece in closing[role] if not isinstance(piece, str))
    if closing["assistant"] != (vocab.id(END),):
        raise UserError(
            "the chat template of this base ends no reply with its special token; choose another base"
        )
    opening = {
        (before, role): pieces[len(closing.get(before, ())) :] for (before, role), pieces in between.items()
    }
    if not any(role == "tool" for _, role in opening):  # the base knows of no tools: results have our marks
        closing["tool"] = (vocab.id(END),)
        opening |= {(before, "tool"): (vocab.id("<|tool|>"),) for before in ROLES}
        opening |= {
            ("tool", role): pieces for (before, role), pieces in opening.items() if before == "assistant"
        }
        opening["tool", BEGIN] = opening["tool", REPLY] = opening["user", BEGIN]
    return Turns(closing, opening)


def split(text: str, specials: dict[str, int]) -> Pieces:
    """Text with special tokens in it -> ids and the texts between them."""
    pieces: list[Piece] = []
    while text:
        found = [(text.index(token), -len(token), token) for token in specials if token in text]
        at, _, token = min(found, default=(len(text), 0, ""))
        if at:
            pieces.append(text[:at])
        if token:
            pieces.append(specials[token])
        text = text[at + len(token) :]
    return tuple(pieces)


def reply_end(render: Render, specials: dict[str, int]) -> str:
    """The special token with which the template ends a reply; UserError where it has none."""
    found = dict(_between(render, ("user", "assistant", "user")))["assistant", "user"]
    ends = [token for token in specials if found.startswith(token)]
    if not ends:
        raise UserError(
            "the chat template of this base ends no reply with a special token; choose another base"
        )
    return max(ends, key=len)


def jinja(source: str, tokens: Iterable[tuple[str, Any]]) -> Render:
    """A chat template as transformers reads it.

    `tokens`: names such as bos_token, and what they stand for.
    """
    from datetime import datetime

    from jinja2.exceptions import TemplateError
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    environment.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False)
    environment.globals |= {
        "raise_exception": refuse,
        "strftime_now": lambda form: datetime.now().strftime(form),
    }
    given = dict(tokens)

    def render(messages: list[dict[str, str]], is_begun: bool) -> str:
        # A spoken answer has to begin at once: templates that know thinking are told to do without.
        try:
            return template.render(
                messages=messages, add_generation_prompt=is_begun, enable_thinking=False, **given
            )
        except (TemplateError, TypeError, ValueError, AttributeError) as error:
            raise UserError(
                f"the chat template of this base refuses a conversation ({error}); choose another base"
            ) from None

    try:
        template = environment.from_string(source)
    except TemplateError as error:
        raise UserError(
            f"the chat template of this base cannot be read ({error}); fetch the base again"
        ) from None
    return render
