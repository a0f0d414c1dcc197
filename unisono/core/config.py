"""Configurations are frozen dataclasses; here they become JSON and come back, and single fields are
overridden.
"""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, TypeVar

from unisono.core.errors import UserError

Config = TypeVar("Config")


def to_json(config: Any) -> dict[str, Any]:
    """A dataclass, nested or not -> a dict of plain values, ready for JSON."""
    return dataclasses.asdict(config)


def override(config: Config, assignments: Sequence[str]) -> Config:
    """A config and assignments `section.field=value` (value: JSON or a bare word) -> the changed config.

    UserError for an unknown field or a value of another type. A field that is a dict takes any key; the
    program that reads it checks the keys.
    """
    for assignment in assignments:
        path, sign, value = assignment.partition("=")
        if not sign:
            raise UserError(f"expected FIELD=VALUE, got {assignment!r}")
        config = _assign(config, path.split("."), value)
    return config


def _assign(config: Any, path: list[str], value: str) -> Any:
    if isinstance(config, dict):
        name = ".".join(path)
        value = {"true": "1", "false": "0"}.get(value, value)  # all values of such a group are numbers
        return {**config, name: _parse(value, 0.0, name)}
    name, rest = path[0], path[1:]
    known = [field.name for field in dataclasses.fields(config)]
    if name not in known:
        raise UserError(f"no field {name!r}; expected one of {', '.join(known)}")
    old = getattr(config, name)
    if rest:
        if not (dataclasses.is_dataclass(old) or isinstance(old, dict)):
            raise UserError(f"{name} has no fields of its own")
        return dataclasses.replace(config, **{name: _assign(old, rest, value)})
    return dataclasses.replace(config, **{name: _parse(value, old, name)})


def _parse(text: str, old: Any, name: str) -> Any:
    """Text -> a value of the same type as the field's old value. UserError where it is of another type."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = text
    if dataclasses.is_dataclass(old) or isinstance(old, dict) and not isinstance(value, dict):
        raise UserError(
            f"{name} is a group; set one of its fields, such as "
            f"{name}.{next(iter(old if isinstance(old, dict) else vars(old)), 'x')}=..."
        )
    if isinstance(old, tuple) and isinstance(value, list):
        value = tuple(value)
    if isinstance(old, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if isinstance(old, str) and not isinstance(value, str):
        value = text  # a word may look like a number
    if type(value) is not type(old):
        raise UserError(f"{name} is {type(old).__name__} such as {old!r}, got {text!r}")
    return value
