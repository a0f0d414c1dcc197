"""Which trained codecs the data of a size is made with, and where what they made lies.

Under --home:  runs/audio-codec, -encoder, -decoder     the codec of 50 ids a second, one stage upon the other
               runs/audio-voices, -adversarial          the codec of 25 ids a second: for small if it is there
               codes, heard                             what the first one made of all sound
               codes-25                                 what the second one made of it
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from unisono.codecs.audio import AudioCodec
from unisono.codecs.image import IMAGE_CODECS, ImageCodec
from unisono.codecs.load import AnyAudioCodec
from unisono.codecs.speech import SpeechCodec
from unisono.codecs.storage import made_by
from unisono.core.errors import UserError
from unisono.core.record import PHONEMES

Codec = TypeVar("Codec", AudioCodec, SpeechCodec, ImageCodec)
AUDIO_STAGES = (
    "audio-codec",
    "audio-encoder",
    "audio-decoder",
)  # in this order; each takes over what the one before left


VOICES_STAGES = ("audio-voices-adversarial", "audio-voices")  # the first that is there


@dataclass(frozen=True)
class Sound:
    """The codec that says and the one that hears (mostly the same), where their codes are kept, and the
    reader that finds words in them.
    """

    said: AnyAudioCodec
    heard: AnyAudioCodec
    said_codes: Path
    heard_codes: Path
    reader: Path

    @property
    def names(self) -> dict[str, str]:
        """Of the two encoders: codes with the same name mean the same."""
        parts = ("encoder", "to_latent")
        return {"said": made_by(self.said, parts), "heard": made_by(self.heard, parts)}


def sound_of(home: Path, size: str) -> Sound:
    """What this size hears and speaks with. UserError where nothing is trained yet."""
    runs = home / "runs"
    voices = [run for run in VOICES_STAGES if (runs / run / "codec" / "config.json").exists()]
    if voices and size != "nano":
        codec = finished(home, voices[0], SpeechCodec)
        codes = home / "codes-25"
        return Sound(codec, codec, codes / "said", codes / "heard", runs / voices[0] / PHONEMES)
    student = audio_run(home, AUDIO_STAGES[:2])  # the decoder's stage leaves the codes as they are
    clean, audio = finished(home, "audio-codec", AudioCodec), finished(home, audio_run(home), AudioCodec)
    return Sound(clean, audio, home / "codes", home / "heard" / student, runs / "audio-codec" / PHONEMES)


def finished(home: Path, what: str, kind: type[Codec]) -> Codec:
    """The codec that `unisono train` left under home/runs; UserError where there is none, a warning where it
    was not trained to its end.
    """
    run = home / "runs" / what
    if not (run / "codec" / "config.json").exists():
        command = what if what in AUDIO_STAGES else what.replace("image-codec-", "image-codec --size ")
        raise UserError(f"no codec in {run}; run `unisono train {command}` first")
    if not any(run.glob("train-*.json")):
        print(
            (
                f"{run} is not trained to its end; what is made with it will have to be made anew when it "
                f"goes on"
            ),
            file=sys.stderr,
        )
    return kind.load(run / "codec")


def audio_run(home: Path, stages: tuple[str, ...] = AUDIO_STAGES) -> str:
    """The run whose audio codec is used: the last of its stages that is finished, or the first one. UserError
    where an earlier one was finished after it, and so is not in it."""
    last, since = stages[0], ""
    for stage in stages:
        times = [
            json.loads(record.read_text())["date"]
            for record in (home / "runs" / stage).glob(f"train-{stage}*.json")
        ]
        if times and max(times) < since:
            raise UserError(
                f"{home / 'runs' / stage} lacks what {last} learned since; delete it and run `unisono "
                f"train {stage}` again"
            )
        last, since = (stage, max(times)) if times else (last, since)
    return last


def image_run(size: str) -> str:
    """The run whose image codec this size uses: sizes that see alike share one."""
    return f"image-codec-{size}" if size in IMAGE_CODECS and size != "nano" else "image-codec"
