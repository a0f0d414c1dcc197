"""WAV and AIFF: chunks of a name and a size. Sizes are wrong in many files: nobody went back to write them,
or an odd chunk lacks its pad byte. What is needed is taken out and written anew, with the right sizes.
"""

import re

MAX_CHUNKS = 10_000
BEYOND = 500_000_000  # sizes from here on stand for "unknown"; no file that is read is so large
Chunks = list[tuple[bytes, bytes]]  # (name, content)
WANTED = {b"fmt ", b"fact", b"COMM", b"FVER"}  # besides the samples
NAME = re.compile(rb"[ -~]{3}[ -~\0]")
HEAD = re.compile(
    rb"(?:RIFF|RIFX|RF64|BW64)....WAVE(?:fmt |ds64|JUNK|bext|LIST|fact)|FORM....AIF[FC]", re.DOTALL
)


def read_riff(content: bytes, place: int) -> tuple[bytes, int, int]:
    """A WAV at `place` -> its format and samples as a plain WAV; where it ends; where it should at least."""
    order = "big" if content[place : place + 4] == b"RIFX" else "little"
    chunks, end, wanted = _chunks(content, place, order, b"data")
    size = sum(8 + len(body) + len(body) % 2 for _, body in chunks) + 4
    head = (b"RIFX" if order == "big" else b"RIFF") + _number(size, order) + b"WAVE"
    return head + _written(chunks, order), end, wanted


def read_aiff(content: bytes, place: int) -> tuple[bytes, int, int]:
    """The same of an AIFF; COMM tells the number of its frames once more."""
    chunks, end, wanted = _chunks(content, place, "big", b"SSND")
    samples = next((body for name, body in chunks if name == b"SSND"), b"")
    chunks = [(name, _common(body, len(samples) - 8) if name == b"COMM" else body) for name, body in chunks]
    size = sum(8 + len(body) + len(body) % 2 for _, body in chunks) + 4
    return (
        b"FORM" + _number(size, "big") + content[place + 8 : place + 12] + _written(chunks, "big"),
        end,
        wanted,
    )


def _common(body: bytes, num_bytes: int) -> bytes:
    """COMM: channels, frames, bits of a sample, ...; with the number of frames that are there."""
    if len(body) < 8 or any(body[2:6]):
        return body
    frame = int.from_bytes(body[:2], "big") * ((int.from_bytes(body[6:8], "big") + 7) // 8)
    return body[:2] + _number(max(0, num_bytes) // max(1, frame), "big") + body[6:]


def _number(value: int, order: str) -> bytes:
    return value.to_bytes(4, "big" if order == "big" else "little")


def _written(chunks: list[tuple[bytes, bytes]], order: str) -> bytes:
    return b"".join(
        name + _number(len(body), order) + body + b"\0" * (len(body) % 2) for name, body in chunks
    )


def _chunks(
    content: bytes, place: int, order: str, sound: bytes
) -> tuple[list[tuple[bytes, bytes]], int, int]:
    """-> the chunks that are needed, up to the samples; where the file ends; where it should end at least."""
    is_big = order == "big"

    def number(at: int, size: int = 4) -> int:
        return int.from_bytes(content[at : at + size], "big" if is_big else "little")

    told_end = place + 8 + number(place + 4)
    found, here, wide = [], place + 12, 0
    for _ in range(MAX_CHUNKS):
        name, size, start = content[here : here + 4], number(here + 4), here + 8
        if start > len(content) or start > told_end > place + 8 + 4 and told_end < len(content):
            break
        if name == b"ds64":
            wide = number(start + 8, 8)
        if name == sound:
            if size == 0xFFFFFFFF and 0 < wide < BEYOND:
                size = wide
            if size >= BEYOND or size == 0 and start < len(content):  # nobody went back to write it
                after = HEAD.search(content, start)
                size = (after.start() if after else len(content)) - start
            end = start + size
            found.append((name, content[start:end]))
            return found, _end(content, end, told_end), end
        if name in WANTED:
            found.append((name, content[start : start + size]))
        here = _after(content, start + size, size)
    return found, min(here, len(content)), told_end if told_end < BEYOND else here


def _after(content: bytes, end: int, size: int) -> int:
    """Where the next chunk begins: behind a pad byte if the size is odd, unless the writer forgot it."""
    padded = end + size % 2
    has_name = NAME.fullmatch(content[padded : padded + 4])
    return end if size % 2 and not has_name and NAME.fullmatch(content[end : end + 4]) else padded


def _end(content: bytes, end: int, told_end: int) -> int:
    """Behind the last chunk, as far as the header's own size can be true."""
    return told_end if end <= told_end <= len(content) else min(end, len(content))
