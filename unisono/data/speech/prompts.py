"""The prompts of Debian's asterisk-core-sounds-en-g722: one woman, 25 minutes at 16 kHz, without transcripts
(CC BY-SA 3.0)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unisono.core.errors import UserError
from unisono.core.progress import track
from unisono.data.speech.corpus import Spoken, to_int16, write_waves
from unisono.data.splits import split_of

PLACE = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
PACKAGE = "asterisk-core-sounds-en-g722"
PEAK = 0.7
MIN_SAMPLES = 4800  # 0.3 s


def copy_prompts(folder: Path, place: Path = PLACE) -> None:
    """All prompts under `place` into one sound folder; a whole folder is left alone. UserError where there
    are none."""
    if (folder / "index.jsonl").exists():
        return
    files = sorted(place.rglob("*.g722"))
    if not files:
        raise UserError(
            f"no prompts in {place}; install the system package {PACKAGE} (apt-get install {PACKAGE})"
        )

    def items() -> Iterator[Spoken]:
        for path in track(files, "prompts"):
            pcm = _decode(path)
            if len(pcm) >= MIN_SAMPLES and (peak := float(np.abs(pcm).max())) > 0.01:
                yield Spoken(
                    to_int16(pcm * (PEAK / peak)),
                    {
                        "text": None,
                        "voice": "allison",
                        "split": split_of(path.stem),
                        "source": "prompts",
                        "phonemes": None,
                    },
                )

    write_waves(folder, items())


def _decode(path: Path) -> NDArray[np.float32]:
    """(N,) float32 mono at 16 kHz."""
    import av

    with av.open(str(path), format="g722") as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    pcm = np.concatenate(frames or [np.zeros(0, np.int16)]).astype(np.float32)
    return pcm / np.float32(32768)
