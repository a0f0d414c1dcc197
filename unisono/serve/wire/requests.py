"""What the smaller endpoints share: reading JSON and multipart requests, server-sent events, replies in
order, counting.

A null or an empty field of a form is as good as none; members that nobody knows are passed over.
"""

import asyncio
import base64
import contextlib
import json
import math
from collections.abc import AsyncIterator, Coroutine, Iterable
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from unisono.serve.wire.errors import ApiError, is_disk_full

MAX_FIELDS, MAX_FILES = 200, 32


class RequestBody(BaseModel):
    """The members of a request."""

    model_config = ConfigDict(allow_inf_nan=False, extra="ignore", protected_namespaces=())


Kind = TypeVar("Kind", bound=RequestBody)
Result = TypeVar("Result")


# ---- requests ----


def checked(kind: type[Kind], values: dict[str, Any]) -> Kind:
    """Values -> what is wanted; ApiError names the first member that is wrong."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        # Of a union pydantic also names the kind that it tried last, which is no member of the request.
        param = (
            ".".join(
                str(step)
                for step in first["loc"]
                if step not in ("str", "int", "float") and "[" not in str(step)
            )
            or None
        )
        message = str(first["msg"]).removeprefix("Value error, ")
        raise ApiError(f"{param}: {message}." if param else f"{message}.", 400, param) from None


async def read_json(request: Request, kind: type[Kind]) -> Kind:
    """The JSON body of a request; nothing that a parser swallows becomes more than a 400."""
    return checked(kind, json_object(await request.body(), "The body"))


def json_object(text: str | bytes, what: str) -> dict[str, Any]:
    """A JSON object that can be sent back as it is; ApiError for anything else, also for what only Python
    takes for JSON.
    """
    try:
        values = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
        if isinstance(text, bytes) or "\\u" in text:
            json.dumps(values, ensure_ascii=False).encode()  # lone surrogates have no place in any answer
    except (ValueError, RecursionError):
        raise ApiError(f"{what} is not valid JSON in UTF-8.", 400, None, "invalid_json") from None
    if not isinstance(values, dict):
        raise ApiError(f"{what} must be a JSON object.", 400)
    return values


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text} is larger than any number")
    return value


class Form:
    """The fields and files of a multipart request, under names without brackets."""

    def __init__(self, fields: dict[str, Any], files: dict[str, list[UploadFile]]) -> None:
        self.fields, self.files = fields, files

    def file(self, name: str) -> UploadFile:
        """The first file of this name."""
        found = self.files.get(name)
        if not found:
            raise ApiError(f"{name} is missing: expected a file in multipart/form-data.", 400, name)
        return found[0]

    def wanted(self, kind: type[Kind]) -> Kind:
        """The fields as what is wanted; lists where lists are expected."""
        values = {}
        for name, value in self.fields.items():
            field = kind.model_fields.get(name)
            is_list = field is not None and "list[" in str(field.annotation)
            values[name] = value if is_list or not isinstance(value, list) else value[-1]
            if is_list and not isinstance(value, list):
                values[name] = [value]
        return checked(kind, values)


@contextlib.asynccontextmanager
async def read_form(request: Request) -> AsyncIterator[Form]:
    """The multipart body of a request; its temporary files last as long as the `async with`."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise ApiError("Expected a body of multipart/form-data.", 400)
    try:
        stored = await request.form(max_files=MAX_FILES, max_fields=MAX_FIELDS)
    except ApiError:
        raise
    except HTTPException as error:
        raise ApiError(f"The form cannot be read: {error.detail}.", 400) from None
    except Exception as error:  # the parser raises its own kinds, some of them bare
        if is_disk_full(error):
            raise
        raise ApiError(f"The form cannot be read ({type(error).__name__}).", 400) from None
    try:
        yield _form(stored.multi_items())
    finally:
        await stored.close()


def _form(items: Iterable[tuple[str, Any]]) -> Form:
    form = Form({}, {})
    for key, value in items:
        name, _, rest = key.partition("[")
        if _is_broken(key) or isinstance(value, UploadFile) and _is_broken(value.filename or ""):
            raise ApiError("A name in the form is not valid UTF-8.", 400)
        if isinstance(value, UploadFile):
            form.files.setdefault(name, []).append(value)
        elif value == "" or _is_broken(value):
            if value:
                raise ApiError(f"{name} is not valid UTF-8.", 400, name)
        elif rest in ("", "]"):
            old = form.fields.get(name)
            many = rest == "]" or old is not None
            form.fields[name] = (
                [*(old if isinstance(old, list) else [] if old is None else [old]), value] if many else value
            )
        else:  # chunking_strategy[type]=server_vad
            inner = form.fields.setdefault(name, {})
            if not isinstance(inner, dict):
                raise ApiError(f"{name} is given twice, in different forms.", 400, name)
            inner[rest.rstrip("]")] = value
    return form


def _is_broken(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def json_body(kind: type[RequestBody]) -> dict[str, Any]:
    """What /openapi.json says of a JSON body."""
    return _body("application/json", kind.model_json_schema())


def form_body(kind: type[RequestBody], *files: str) -> dict[str, Any]:
    """What /openapi.json says of a multipart body with these files."""
    schema = kind.model_json_schema()
    schema["properties"] |= {name: {"type": "string", "format": "binary"} for name in files}
    schema["required"] = [*schema.get("required", []), *files]
    return _body("multipart/form-data", schema)


def _body(media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {media_type: {"schema": schema}}}}


# ---- replies ----


def encoded(content: bytes) -> str:
    """-> base64."""
    return base64.b64encode(content).decode()


async def unless_left(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Does what takes long; who leaves meanwhile stops it. The body has been read before."""

    async def left() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(left())
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ApiError("The client has left.", 499)
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)
