"""Functions that a client offers: read from both spellings of the API, told to the network, its calls read
back.

A call is <|begin_call|> {"name": ..., "arguments": {...}} <|end_call|>; in the system message each tool has a
line.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from unisono.serve.reply.document import Form
from unisono.serve.reply.forms import call_form
from unisono.serve.reply.schema import read_parameters
from unisono.serve.reply.service import Service
from unisono.serve.wire.errors import ApiError
from unisono.tokens.phrases import call_text, tool_line

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
BEGIN = re.compile(r'\{"name": "([A-Za-z0-9_-]+)", "arguments": ')
MAX_TOOLS = 128


@dataclass(frozen=True)
class Tool:
    """A function of the client."""

    name: str
    description: str
    parameters: dict[str, Any]
    is_strict: bool
    param: str = "tools"  # where it stands in the request

    @property
    def line(self) -> str:
        """The line of the system message that tells the network of this tool."""
        return tool_line(self.name, self.description, self.parameters)


@dataclass
class Toolbox:
    """The tools of a request, and which of them the reply may or must call."""

    tools: list[Tool] = field(default_factory=list)
    mode: str = "none"  # none | auto | required
    callable: list[Tool] = field(default_factory=list)
    in_parallel: bool = True

    async def form(self, service: Service) -> Form | None:
        """The form of a call; None where none may be made."""
        if self.mode == "none" or not self.callable:
            return None
        tools = [(tool.name, tool.parameters, tool.is_strict) for tool in self.callable]
        return await call_form(service.pieces, tools, [f"{tool.param}.parameters" for tool in self.callable])


def read_tool(given: object, param: str) -> Tool:
    """{name, description, parameters, strict} -> Tool; ApiError names what is wrong."""
    if not isinstance(given, dict):
        raise ApiError(f"{param} must be an object with a name.", 400, param)
    name, description = given.get("name"), given.get("description")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ApiError(
            f"{param}.name must be 1 to 64 letters, digits, underscores or dashes.", 400, f"{param}.name"
        )
    if description is not None and not isinstance(description, str):
        raise ApiError(f"{param}.description must be a string.", 400, f"{param}.description")
    schema = read_parameters(given.get("parameters"), f"{param}.parameters")
    return Tool(name, description or "", schema, given.get("strict") is True, param)


def read_tools(given: Sequence[tuple[object, str]], choice: object, in_parallel: bool | None) -> Toolbox:
    """Tools, each with its place in the request, and `tool_choice` in either spelling -> a toolbox."""
    if len(given) > MAX_TOOLS:
        raise ApiError(f"At most {MAX_TOOLS} tools.", 400, "tools")
    tools = [read_tool(tool, param) for tool, param in given]
    names = [tool.name for tool in tools]
    if len(set(names)) < len(names):
        raise ApiError("Two tools have the same name.", 400, "tools")
    mode, wanted = _choice(choice)
    missing = [name for name in wanted or () if name not in names]
    if missing:
        raise ApiError(f"tool_choice names {missing[0]!r}, which is not among the tools.", 400, "tool_choice")
    if mode == "required" and not tools:
        raise ApiError("tool_choice requires a call, but there are no tools.", 400, "tool_choice")
    callable_ = [tool for tool in tools if wanted is None or tool.name in wanted]
    is_named = wanted is not None and mode == "required" and len(callable_) == 1
    return Toolbox(tools, mode if tools else "none", callable_, in_parallel is not False and not is_named)


def _choice(choice: object) -> tuple[str, list[str] | None]:
    """-> none, auto or required; names to choose from, None: all."""
    if choice is None:
        return "auto", None
    if isinstance(choice, str) and choice in ("none", "auto", "required"):
        return choice, None
    if isinstance(choice, dict) and choice.get("type") == "function":
        return "required", [_name(choice)]
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        allowed = choice.get("allowed_tools") or choice
        tools = allowed.get("tools") if isinstance(allowed, dict) else None
        if isinstance(tools, list) and tools and allowed.get("mode", "auto") in ("auto", "required"):
            return allowed.get("mode", "auto"), [_name(tool) for tool in tools]
    raise ApiError(
        "tool_choice must be none, auto, required, a function's name as "
        '{"type": "function", ...}, or {"type": "allowed_tools", ...}.',
        400,
        "tool_choice",
    )


def _name(choice: object) -> str:
    inner = choice.get("function", choice) if isinstance(choice, dict) else None
    name = inner.get("name") if isinstance(inner, dict) else None
    if not isinstance(name, str):
        raise ApiError("tool_choice must name a function.", 400, "tool_choice")
    return name


def written(name: object, arguments: object, param: str) -> str:
    """A call of the history, in the form in which the network writes calls."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ApiError(
            f"{param}.name must be 1 to 64 letters, digits, underscores or dashes.", 400, f"{param}.name"
        )
    if not isinstance(arguments, str):
        raise ApiError(f"{param}.arguments must be a string of JSON.", 400, f"{param}.arguments")
    return call_text(name, arguments)


class CallReader:
    """The JSON of one call, as it comes -> its name, then its arguments without the brace that closes the
    whole.
    """

    def __init__(self) -> None:
        self.text, self.name, self.arguments = "", "", ""
        self.start = 0  # of the arguments

    def push(self, text: str) -> Iterator[str]:
        """Yields more of the arguments, as far as they are certain."""
        self.text += text
        if not self.name:
            found = BEGIN.match(self.text)
            if not found:
                return
            self.name, self.start = found[1], found.end()
        yield from self._news(self.text[self.start : -1])

    def end(self, is_whole: bool) -> Iterator[str]:
        """The characters that were held back. Of a call that broke off that is its last one, unless it is the
        closing brace.
        """
        if self.name and not is_whole and not _is_json(self.arguments):
            yield from self._news(self.text[self.start :])

    def _news(self, arguments: str) -> Iterator[str]:
        news, self.arguments = arguments[len(self.arguments) :], arguments
        if news:
            yield news


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
