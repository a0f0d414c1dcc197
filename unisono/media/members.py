"""One file, or several joined byte by byte: where each begins and ends by its own headers, and how long it
says it is. Decoders stop at the end of the first, or take what follows for a part of it.

Formats that name no end of their own (MPEG streams, ADTS) need no cutting: their decoders read on.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from unisono.core.errors import UserError
from unisono.media.files import MAX_BYTES
from unisono.media.mpeg import INFO, TAG, is_mpeg, mpeg_pieces, tags
from unisono.media.riff import read_aiff, read_riff

MAX_MEMBERS = 1000
MAX_FIRST_PAGE_S = 10
MAX_PARTS = 1_000_000  # boxes, pages or chunks of a file that are looked at
MAX_READ = 0.9  # of a file: damage before it has spoiled more than a tenth
SPARE_BYTES = 64  # at a file's end that may be missing: some writers count wrongly
W64 = bytes.fromhex("726966662e91cf11a5d628db04c10000")
SIGNS: dict[str, bytes] = {
    "riff": rb"(?:RIFF|RIFX|RF64|BW64)....(?:WAVE|AVI )",
    "aiff": rb"FORM....AIF[FC]",
    "au": rb"\.snd\0[\0-\x0f]..",
    "caf": rb"caff\x00\x01\x00\x00",
    "w64": re.escape(W64),
    "flac": rb"fLaC[\0\x80]\0\0\x22",
    "ogg": rb"OggS\x00[\x02\x06]",
    "mp4": rb"\x00[\x00-\x02]..ftyp[ -~]{4}",
    "ebml": rb"\x1aE\xdf\xa3.{1,60}?B\x82.{1,8}?(?:webm|matroska)",
    "gif": rb"GIF8[79]a",
    "flv": rb"FLV\x01[\x01\x04\x05]\x00\x00\x00\x09",
    "ivf": rb"DKIF\x00\x00\x20\x00",
    "asf": re.escape(bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")),
    "amr": rb"#!AMR(?:-WB)?\n",
}
SIGN = re.compile(b"|".join(b"(?P<%s>%s)" % (name.encode(), sign) for name, sign in SIGNS.items()), re.DOTALL)
NEXT = re.compile(SIGN.pattern + b"|" + INFO.pattern, re.DOTALL)
BOXES = set(
    b"ftyp styp moov moof mdat free skip wide uuid pdin sidx ssix mfra meta emsg prft udta pnot".split()
)
BOX = re.compile(rb"\x00...(?:moof|mdat|moov|ftyp)", re.DOTALL)


@dataclass(frozen=True)
class Member:
    """One of the files. `told_s`: how long its headers say that its sound is, where they do."""

    content: bytes
    told_s: float | None = None


def members(content: bytes, name: str) -> list[Member]:
    """The files in a content, in their order. What follows the last one's end is passed over unless another
    begins there. UserError where one is cut off by its own account.
    """
    found: list[Member] = []
    place: int | None = 0
    while place is not None and place < len(content):
        if len(found) >= MAX_MEMBERS:
            raise UserError(f"{name} is more than {MAX_MEMBERS} files joined; send them one by one")
        place = _past_tag(content, place)
        if sign := SIGN.match(content, place):
            member, end = _READERS[sign.lastgroup or ""](content, place, name)
            found.append(member)
        elif is_mpeg(content, place):  # has no end of its own
            after = SIGN.search(content, place)
            end = after.start() if after else len(content)
            found += [Member(*piece) for piece in mpeg_pieces(content[place:end])]
        else:
            break
        after = NEXT.search(content, end)
        place = end if is_mpeg(content, end) else after.start() if after else None
    return found or [Member(content)]


def _past_tag(content: bytes, place: int) -> int:
    """Where a file begins behind an ID3 tag that its format does not know, else `place`."""
    if tag := TAG.match(content, place):
        end = next(tags(content[place : tag.end()]))[1] + place
        return end if SIGN.match(content, end) else place
    return place


def cut_off(name: str, num_bytes: int, expected: int) -> UserError:
    """The error for a file whose end is missing by its own account."""
    return UserError(
        f"{name} is cut off after {num_bytes:,} bytes; expected at least {expected:,}: copy or send all of it"
    )


def _check_end(content: bytes, end: int, name: str) -> None:
    """Writers into pipes announce far too much, which means nothing."""
    if SPARE_BYTES < end - len(content) and end < MAX_BYTES:
        raise cut_off(name, len(content), end)


def _riff(content: bytes, place: int, name: str) -> tuple[Member, int]:
    if content[place + 8 : place + 12] == b"AVI ":
        end = place
        while content[end : end + 4] == b"RIFF" and (end == place or content[end + 8 : end + 12] == b"AVIX"):
            size = int.from_bytes(content[end + 4 : end + 8], "little")
            end += 8 + size + size % 2
        if size in (0, 0xFFFFFFFF):
            end = len(content)
        _check_end(content, end, name)
        return Member(content[place : min(end, len(content))]), end
    found, end, wanted = read_riff(content, place)
    _check_end(content, wanted, name)
    return Member(found), end


def _aiff(content: bytes, place: int, name: str) -> tuple[Member, int]:
    found, end, wanted = read_aiff(content, place)
    _check_end(content, wanted, name)
    return Member(found), end


def _au(content: bytes, place: int, name: str) -> tuple[Member, int]:
    head, size = (int.from_bytes(content[place + at : place + at + 4], "big") for at in (4, 8))
    if size == 0xFFFFFFFF:  # of unknown length: up to the next one
        after = re.compile(SIGNS["au"], re.DOTALL).search(content, place + head)
        end = after.start() if after else len(content)
    else:
        end = place + head + size
    _check_end(content, end, name)
    return Member(content[place:end]), end


def _caf(content: bytes, place: int, name: str) -> tuple[Member, int]:
    """Parts are id(4), size(8); a size of -1 reaches to the end."""
    end = place + 8
    while (
        end + 12 <= len(content)
        and (kind := content[end : end + 4]).isalpha()
        or content[end : end + 4] == b"free"
    ):
        if kind == b"caff":
            break
        size = int.from_bytes(content[end + 4 : end + 12], "big", signed=True)
        if size < 0:
            after = re.compile(SIGNS["caf"]).search(content, end)
            end = after.start() if after else len(content)
            break
        end += 12 + size
    _check_end(content, end, name)
    return Member(content[place:end]), end


def _w64(content: bytes, place: int, name: str) -> tuple[Member, int]:
    size = int.from_bytes(content[place + 16 : place + 24], "little")
    end = place + size if 40 < size < 2**62 else len(content)
    _check_end(content, end, name)
    return Member(content[place:end]), end


def _flac(content: bytes, place: int, name: str) -> tuple[Member, int]:
    """STREAMINFO: 20 bits of sample rate, 3 of channels, 5 of width, 36 of length; 0 where nobody knew it."""
    after = NEXT.search(content, place + 4)
    end = after.start() if after else len(content)
    numbers = int.from_bytes(content[place + 18 : place + 26], "big")
    rate, count = numbers >> 44, numbers & (1 << 36) - 1
    is_possible = rate and 0 < count < 8192 * (end - place)  # a frame of silence takes some 11 bytes
    return Member(content[place:end], count / rate if is_possible else None), end


def _ogg(content: bytes, place: int, name: str) -> tuple[Member, int]:
    """Pages up to the next first page of a stream, which begins another link of the chain."""
    here, end, has_data, is_whole = place, place, False, False
    granules: list[int] = []
    for _ in range(MAX_PARTS):
        if content[here : here + 4] != b"OggS":  # damaged
            here = content.find(b"OggS\0", here)
            if here < 0:
                break
        is_first = bool(content[here + 5 : here + 6] and content[here + 5] & 2)
        if is_first and has_data:
            break
        has_data |= not is_first
        count = content[here + 26] if here + 26 < len(content) else 0
        after = here + 27 + count + sum(content[here + 27 : here + 27 + count])
        if after > len(content) or here + 27 > len(content):
            if (found := content.find(b"OggS\0", here + 4)) < 0:
                if is_whole:
                    break
                raise cut_off(name, len(content), after)
            after = found
        is_whole = bool(content[here + 5] & 4)
        granules.append(int.from_bytes(content[here + 6 : here + 14], "little"))
        here = end = after
    return Member(content[place:end], _ogg_s(content[place : place + 200], granules)), end


def _ogg_s(head: bytes, granules: list[int]) -> float | None:
    """How long a stream is by its last page; None for pictures, and where it began long before the file."""
    known = [granule for granule in granules if 0 < granule < 1 << 48]
    rate, skip = 0, 0
    if (at := head.find(b"OpusHead")) > 0:
        rate, skip = 48000, int.from_bytes(head[at + 10 : at + 12], "little")
    elif (at := head.find(b"\x01vorbis")) > 0:
        rate = int.from_bytes(head[at + 12 : at + 16], "little")
    elif (at := head.find(b"fLaC\0\0\0\x22")) > 0:
        rate = int.from_bytes(head[at + 18 : at + 21], "big") >> 4
    elif (at := head.find(b"Speex   ")) > 0:
        rate = int.from_bytes(head[at + 36 : at + 40], "little")
    if not rate or not known or known[0] > MAX_FIRST_PAGE_S * rate or b"theora" in head:
        return None
    return (known[-1] - skip) / rate


def _mp4(content: bytes, place: int, name: str) -> tuple[Member, int]:
    """Boxes; a size of 0 stands for all that follows, 1 for a long number behind the name."""
    here, end, has_content, holes = place, place, False, list[tuple[int, int]]()
    kind_before = b""
    for _ in range(MAX_PARTS):
        kind = content[here + 4 : here + 8]
        if kind == b"ftyp" and has_content:
            break
        if here + 8 > len(content) or kind not in BOXES:
            after = BOX.search(content, here + 4)
            if after is None:
                break
            holes.append((here, after.start()))
            here = after.start()
            continue
        has_content |= kind in (b"moov", b"mdat")
        kind_before = kind
        size = int.from_bytes(content[here : here + 4], "big")
        if size == 1:
            size = int.from_bytes(content[here + 8 : here + 16], "big")
        here = end = len(content) if size == 0 else here + max(size, 8)
    if kind_before == b"moof":  # its samples are missing
        raise cut_off(name, len(content), end + 8)
    _check_end(content, end, name)
    found = bytearray(content[place:end])
    for start, after_hole in holes:  # readers pass over a box that is free
        if after_hole - start >= 8:
            found[start - place : start - place + 8] = (after_hole - start).to_bytes(4, "big") + b"free"
    return Member(bytes(found)), min(end, len(content))


def _ebml(content: bytes, place: int, name: str) -> tuple[Member, int]:
    """Up to the next header; a Segment that tells its size must be there."""
    after = re.compile(SIGNS["ebml"], re.DOTALL).search(content, place + 4)
    end = after.start() if after else len(content)
    head, at = _ebml_number(content, place + 4)
    at += head or 0
    if content[at : at + 4] == b"\x18S\x80g":
        size, at = _ebml_number(content, at + 4)
        if size is not None:
            _check_end(content, at + size, name)
            end = min(end, at + size)
    return Member(content[place:end]), end


def _ebml_number(content: bytes, place: int) -> tuple[int | None, int]:
    """-> the number, None where it says unknown; where it ends."""
    first = content[place] if place < len(content) else 0
    length = 9 - first.bit_length() if first else 8
    value = int.from_bytes(content[place : place + length], "big") & (1 << 7 * length) - 1
    return None if value == (1 << 7 * length) - 1 else value, place + length


def _until_next(sign: bytes, content: bytes, place: int, name: str) -> tuple[Member, int]:
    """Of formats that name no end: up to where the next one begins."""
    after = re.compile(sign, re.DOTALL).search(content, place + 4)
    end = after.start() if after else len(content)
    return Member(content[place:end]), end


def _gif(content: bytes, place: int, name: str) -> tuple[Member, int]:
    """Blocks up to the trailer; where they are damaged, all that follows."""

    def past_table(at: int) -> int:
        flags = content[at : at + 1] or b"\0"
        return 3 * 2 << (flags[0] & 7) if flags[0] & 0x80 else 0

    here = place + 13 + past_table(place + 10)
    for _ in range(MAX_PARTS):
        kind = content[here : here + 1]
        if kind == b";":
            return Member(content[place : here + 1]), here + 1
        if kind == b"!":
            here += 2
        elif kind == b",":
            here += 11 + past_table(here + 9)
        elif here < len(content) * MAX_READ:
            raise UserError(f"{name} is damaged after {here:,} of {len(content):,} bytes; send it once more")
        else:
            break
        while here < len(content) and content[here]:
            here += 1 + content[here]
        here += 1
        if here > len(content) + SPARE_BYTES:
            raise cut_off(name, len(content), here)
    return Member(content[place:]), len(content)


_READERS: dict[str, Callable[[bytes, int, str], tuple[Member, int]]] = {
    "riff": _riff,
    "aiff": _aiff,
    "au": _au,
    "caf": _caf,
    "w64": _w64,
    "flac": _flac,
    "ogg": _ogg,
    "mp4": _mp4,
    "ebml": _ebml,
    "gif": _gif,
    **{kind: partial(_until_next, SIGNS[kind]) for kind in ("flv", "ivf", "asf", "amr")},
}
