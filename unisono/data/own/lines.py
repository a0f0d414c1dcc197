"""Lines, tables and plain texts of somebody's files -> items. Whatever is wrong with a line is that
line's fault.
"""

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unisono.core.errors import UserError
from unisono.data.own.items import Item, Slice, read_bytes, shown

MAX_LINE_BYTES = 64_000_000
MAX_TABLE_BYTES = 500_000_000
HALF = re.compile(rb"\\u[dD][89a-fA-F]")  # of a character that JSON writes in two
NOT_UTF8 = "is not UTF-8; save the file as UTF-8"


def line_items(path: Path, root: Path) -> Iterator[Item]:
    """Every line of a .jsonl file that is not blank: a conversation, or a text. It is read when its turn
    comes.
    """
    with open(path, "rb") as file:
        number, start = 0, 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            place, size = f"{shown(path, root)} line {number}", len(line)
            while (
                size > MAX_LINE_BYTES and not line.endswith(b"\n") and (line := file.readline(MAX_LINE_BYTES))
            ):
                size += len(line)
            if size > MAX_LINE_BYTES:
                fault = f"a line is larger than {MAX_LINE_BYTES // 10**6} MB"
                yield Item(place, "chat", root=path.parent, fault=fault)
            elif line.strip(b" \t\r\n\xef\xbb\xbf"):
                yield Item(place, "chat", Slice(path, start, size), path.parent)
            start += size


def json_line(content: bytes) -> dict[str, Any]:
    """The object of a line; UserError says why there is none."""
    try:
        given = json.loads(text_of(content))
    except UserError:
        raise
    except (ValueError, RecursionError):
        raise UserError("a line is not JSON") from None
    if not isinstance(given, dict):
        raise UserError("a line is no JSON object")
    if HALF.search(content) and HALF.search(
        json.dumps(given, ensure_ascii=False).encode("utf8", "backslashreplace")
    ):
        raise UserError("a line holds half a character, which no text can")
    return given


def text_of(content: bytes) -> str:
    """UTF-8 -> text, without the mark that some editors put first; UserError for another encoding."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError(NOT_UTF8)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(NOT_UTF8) from None


def text_items(path: Path, root: Path) -> Iterator[Item]:
    """A plain text file is one item."""
    yield Item(shown(path, root), "text", path, path.parent)


def table_rows(path: Path) -> Iterator[tuple[int, dict[str, str] | str]]:
    """(line, column -> value) of a .csv, .tsv or .jsonl table with a header; the reason in place of a
    row that is broken. UserError where the file as a whole cannot be read.
    """
    content = read_bytes(path)
    if path.suffix == ".jsonl":
        for number, line in enumerate(content.split(b"\n"), 1):
            if line.strip():
                try:
                    yield (
                        number,
                        {key: value for key, value in json_line(line).items() if isinstance(value, str)},
                    )
                except UserError as error:
                    yield number, str(error)
        return
    lines, numbers, broken = list[str](), list[int](), list[int]()
    for number, line in enumerate(content.splitlines(keepends=True), 1):
        try:
            lines.append(text_of(line))
            numbers.append(number)
        except UserError:
            broken.append(number)
    tabs = path.suffix == ".tsv"
    reader = csv.reader(
        io.StringIO("".join(lines), newline=""),
        delimiter="\t" if tabs else ",",
        quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL,
    )
    yield from ((number, NOT_UTF8) for number in broken)
    header = list[str]()
    try:
        for row in reader:
            number = numbers[min(reader.line_num, len(numbers)) - 1]
            if not header:
                header = [name.strip() for name in row]
            elif len(row) == len(header):
                yield number, dict(zip(header, row))
            elif row:
                yield number, f"a row has {len(row)} columns, its header {len(header)}"
    except csv.Error:
        yield numbers[min(reader.line_num, len(numbers)) - 1], "a row is no CSV"


def column(row: dict[str, str], names: tuple[str, ...]) -> str:
    """The value of the first of these columns that is there."""
    return next((row[name].strip() for name in names if row.get(name, "").strip()), "")
