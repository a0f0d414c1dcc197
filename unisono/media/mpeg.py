"""MPEG sound (MP3, ADTS): frames one after the other, tags between them. A file begins at a tag, or at a
frame that tells how many follow; a decoder leaves out what lies beyond the length that the first one tells.
"""

import re
from collections.abc import Iterator

TAG = re.compile(rb"ID3[\x02-\x04]\x00[\x00-\xf0][\x00-\x7f]{4}", re.DOTALL)
INFO = re.compile(
    rb"\xff[\xe2-\xff][^\xf0-\xff].(?:.{9}|.{11}|.{17}|.{19}|.{32}|.{34})(?:Xing|Info)(....)(....)", re.DOTALL
)
RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


ADTS = re.compile(rb"\xff[\xf0\xf1\xf8\xf9]", re.DOTALL)
ADTS_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
ADTS_SAMPLES = 1024


def is_mpeg(content: bytes, place: int) -> bool:
    """Whether a tag or a frame of MPEG sound begins here."""
    head = content[place : place + 10]
    return bool(TAG.match(head) or re.match(rb"\xff[\xe2-\xff][^\xf0-\xff].", head, re.DOTALL))


def mpeg_pieces(content: bytes) -> list[tuple[bytes, float | None]]:
    """The files that were joined, and how long each says that it is."""
    if ADTS.match(content):
        return [_adts(content)]
    starts = sorted(set(_starts(content))) or [0]
    starts[0] = 0
    pieces = [content[start:end] for start, end in zip(starts, [*starts[1:], len(content)])]
    return [(piece, _told_s(piece)) for piece in pieces]


def _adts(content: bytes) -> tuple[bytes, float | None]:
    """The frames without what is damaged between them, where a decoder would stop; how long all of it was."""
    frames, here, damaged = [], 0, 0
    while here + 7 <= len(content):
        size = (content[here + 3] & 3) << 11 | content[here + 4] << 3 | content[here + 5] >> 5
        after = here + size
        if (
            ADTS.match(content, here)
            and size > 7
            and (after + 2 > len(content) or ADTS.match(content, after))
        ):
            frames.append(content[here:after])
            here = after
            continue
        found = ADTS.search(content, here + 1)
        if found is None:
            break
        damaged, here = damaged + found.start() - here, found.start()
    kept = sum(map(len, frames))
    rate = content[2] >> 2 & 15
    if not damaged or not kept or rate >= len(ADTS_RATES):
        return content, None
    return b"".join(frames), len(frames) * ADTS_SAMPLES / ADTS_RATES[rate] * (kept + damaged) / kept


def _starts(content: bytes) -> Iterator[int]:
    tagged = {end: start for start, end in tags(content)}
    yield from (start for end, start in tagged.items() if content[end : end + 1] == b"\xff")
    for found in INFO.finditer(content):
        if not _frame(content[found.start() : found.start() + 4]):
            continue
        yield tagged.get(found.start(), found.start())
        told = int.from_bytes(found[1], "big")
        at = found.end(1) + 4 * (told & 1)
        size = int.from_bytes(content[at : at + 4], "big") if told & 2 else 0
        end = found.start() + size
        if size and _frame(content[end : end + 4]):
            yield end  # more sound than this one tells of, without a head of its own


def tags(content: bytes) -> Iterator[tuple[int, int]]:
    """(start, end) of each ID3 tag."""
    for found in TAG.finditer(content):
        size = 0
        for digit in content[found.start() + 6 : found.start() + 10]:
            size = size << 7 | digit
        yield found.start(), found.start() + 10 + size


def _frame(head: bytes) -> tuple[int, int] | None:
    """The head of a layer III frame -> samples in a frame, rate; None for anything else."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    version, rate = head[1] >> 3 & 3, head[2] >> 2 & 3
    if version == 1 or rate == 3 or head[2] >> 4 == 15:
        return None
    return 1152 if version == 3 else 576, RATES[version][rate]


def _told_s(content: bytes) -> float | None:
    found = INFO.search(content)
    if found is None or not int.from_bytes(found[1], "big") & 1:
        return None
    frame = _frame(content[found.start() : found.start() + 4])
    count = int.from_bytes(found[2], "big")
    return count * frame[0] / frame[1] if frame and 0 < count < len(content) else None
