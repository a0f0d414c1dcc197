"""Damages, joins, cuts and lengthens files of every container, and compares what is read with what was in
them: all of it, or an error that a user understands; never a part in silence, never a crash.

    python -m unisono.media.fuzz --minutes 60
"""

import argparse
import collections
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

import av

from unisono.core.device import peak_mb
from unisono.core.errors import UserError
from unisono.core.record import write_record
from unisono.media.clips import read_clip
from unisono.media.content import Footage
from unisono.media.pictures import read_picture
from unisono.media.samples import CLIPS, SOUNDS, coded, coded_clip, picture_files
from unisono.media.sound import read_sound

LENGTHS = (0.7, 3.0)  # seconds of a sample
TOLERANCE_S = 0.2  # coders fill up their last block; pictures come every half second
MAX_MORE_S = 1.6  # each clip is rounded up to half a second
MAX_LOST = 0.1  # what may be missing without a word
MAX_CASE_S = 60.0  # of the processor, on a slow and crowded machine: an endless loop, not slowness
# Of these nobody can tell that the end is missing.
UNTOLD = {"adts", "mp3 without a head", "ts", "fragments"}


@dataclass
class Case:
    """One file as it is sent, and how many seconds it must give."""

    what: str
    content: bytes
    seconds: float
    is_whole: bool  # nothing of it is missing or damaged: an error is a fault
    may_be_short: bool = False  # nobody can know that something is missing


@dataclass
class Findings:
    """What came of all cases: (kind of change, outcome) -> count, and every fault."""

    counts: collections.Counter[tuple[str, str]] = field(default_factory=collections.Counter)
    faults: list[str] = field(default_factory=list)


@lru_cache(maxsize=64)
def sample(kind: str, name: str, seconds: float) -> tuple[bytes, float]:
    """A file of SOUNDS or CLIPS, and its length by a full demux when it is whole."""
    if kind == "sound":
        content = coded(name, seconds, 24000)
        return content, read_sound(content).seconds
    content = coded_clip(*CLIPS[name], num=round(8 * seconds))
    return content, round(8 * seconds) / 8


def cases(rng: random.Random) -> Iterator[tuple[str, Case]]:
    """Endlessly: the kind of reader, and a case for it."""
    while True:
        kind = rng.choice(("sound", "sound", "clip"))
        name = rng.choice(sorted(SOUNDS if kind == "sound" else CLIPS))
        content, seconds = sample(kind, name, rng.choice(LENGTHS))
        yield (
            kind,
            rng.choice((joined, lengthened, cut, damaged, header_damaged))(rng, kind, name, content, seconds),
        )


def joined(rng: random.Random, kind: str, name: str, content: bytes, seconds: float) -> Case:
    """Two or three files one behind the other, of one container or of several that know their beginning."""
    names = [name]
    for _ in range(rng.choice((1, 1, 2))):
        other, length = sample(kind, name, rng.choice(LENGTHS))
        content, seconds = content + other, seconds + length
        names.append(name)
    return Case(f"join {' + '.join(names)}", content, seconds, True)


def lengthened(rng: random.Random, kind: str, name: str, content: bytes, seconds: float) -> Case:
    """Something that is no sound behind the end."""
    more = rng.choice(
        (bytes(rng.choice((1, 7, 40, 200, 3000))), rng.randbytes(rng.randrange(1, 300)), b"TAG" + bytes(125))
    )
    return Case(f"append {name}", content + more, seconds, name not in UNTOLD)


def cut(rng: random.Random, kind: str, name: str, content: bytes, seconds: float) -> Case:
    """The beginning alone. An Ogg that ends with a whole page is what a recorder leaves that was stopped."""
    length = rng.randrange(len(content))
    is_told = name not in UNTOLD and content[length : length + 4] != b"OggS"
    return Case(f"cut {name} at {length}", content[:length], seconds, False, not is_told)


def damaged(rng: random.Random, kind: str, name: str, content: bytes, seconds: float) -> Case:
    """A stretch behind the headers overwritten."""
    start, size = rng.randrange(len(content) // 5, len(content)), rng.choice((1, 20, 200, 2000))
    noise = bytes(size) if rng.random() < 0.5 else rng.randbytes(size)
    spoiled = (content[:start] + noise + content[start + size :])[: len(content)]
    return Case(f"damage {name} {size} at {start}", spoiled, seconds, False, name in UNTOLD and size > 200)


def header_damaged(rng: random.Random, kind: str, name: str, content: bytes, seconds: float) -> Case:
    """A few bytes near the beginning overwritten: lengths and rates may be anything."""
    spoiled = bytearray(content)
    for _ in range(rng.choice((1, 4, 30))):
        spoiled[rng.randrange(min(len(spoiled), rng.choice((64, 500))))] = rng.choice(
            (0, 255, rng.randrange(256))
        )
    return Case(f"header {name}", bytes(spoiled), seconds, False, True)


def length_of(kind: str, content: bytes) -> float:
    """Seconds that are read."""
    if kind == "sound":
        return read_sound(content).seconds
    found = read_clip(content)
    return len(found.frames) / 2 if isinstance(found, Footage) else found.seconds


def judge(case: Case, read: Callable[[], float]) -> tuple[str, str]:
    """-> outcome (right, refused, short, long, crash, slow), and what there is to say."""
    began = time.process_time()
    try:
        seconds = read()
    except UserError as error:
        outcome = "refused" if not case.is_whole else "refused although whole"
        if "\n" in str(error) or len(str(error)) > 300:
            outcome = "no sentence"
        return outcome, str(error)
    except Exception:
        return "crash", traceback.format_exc(limit=-3)
    if time.process_time() - began > MAX_CASE_S:
        return "slow", f"{time.process_time() - began:.0f} s"
    told = f"{seconds:.2f} of {case.seconds:.2f} s"
    if seconds < case.seconds * (1 - MAX_LOST) - TOLERANCE_S and not case.may_be_short:
        return "short", told
    if seconds > case.seconds * (1 + MAX_LOST) + MAX_MORE_S and case.is_whole:
        return "long", told
    return "right", told


def pictures(rng: random.Random) -> Case:
    """A picture cut, damaged or lengthened: read, or refused; its size is all that can be compared."""
    name, content = rng.choice(sorted(picture_files().items()))
    kind = rng.choice(("cut", "damage", "append"))
    if kind == "cut":
        content = content[: rng.randrange(len(content))]
    elif kind == "append":
        content += rng.randbytes(rng.randrange(1, 3000))
    else:
        spoiled = bytearray(content)
        for _ in range(rng.choice((1, 4, 30))):
            spoiled[rng.randrange(len(spoiled))] = rng.randrange(256)
        content = bytes(spoiled)
    return Case(f"picture {kind} {name}", content, 1.0, kind == "append", True)


def read_size(content: bytes) -> float:
    """Whether a picture has pixels."""
    picture = read_picture(content)
    picture.convert("RGB")
    return 1.0 if min(picture.size) > 0 else 0.0


def run(seed: int, is_over: Callable[[int], bool]) -> Findings:
    """Cases of a seed until `is_over` of their number."""
    av.logging.set_level(None)
    rng, found = random.Random(seed), Findings()
    source = cases(rng)
    for number in range(sys.maxsize):
        if is_over(number):
            break
        if rng.random() < 0.1:
            case = pictures(rng)
            outcome, told = judge(case, partial(read_size, case.content))
        else:
            kind, case = next(source)
            outcome, told = judge(case, partial(length_of, kind, case.content))
        found.counts[case.what.split()[0], outcome] += 1
        if outcome not in ("right", "refused"):
            found.faults.append(f"seed {seed} case {number}: {case.what}: {outcome}: {told}")
    return found


def main() -> int:
    """Runs for some minutes and writes a record."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--records", type=Path, default=Path("records"))
    arguments = parser.parse_args()
    end = time.monotonic() + 60 * arguments.minutes
    found = run(arguments.seed, lambda _: time.monotonic() >= end)
    numbers = {
        "cases": sum(found.counts.values()),
        "outcomes": {f"{kind}, {outcome}": count for (kind, outcome), count in sorted(found.counts.items())},
        "faults": found.faults[:100],
        "peak_mb": round(peak_mb()),
    }
    path = write_record(
        "media-fuzz",
        numbers,
        config={"minutes": arguments.minutes},
        seeds=[arguments.seed],
        folder=arguments.records,
    )
    print("\n".join(found.faults[:100]))
    print(f"{numbers['cases']} cases, {len(found.faults)} faults -> {path}")
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
