"""Voices of one's own: kept in a folder with the consent of those who speak in them, apart for each key.

Of a voice its style and its speaker embedding are kept, of a consent the recording: it is what shows later
that somebody agreed. A voice goes when its consent goes.

Shapes: N samples at 16 kHz, F frames, P phonemes.
"""

import dataclasses
import hashlib
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor

from unisono.codecs.phonemes import PhonemeReader
from unisono.codecs.speech import SpeechCodec
from unisono.codecs.storage import made_by
from unisono.core.errors import UserError
from unisono.core.home import atomic_write
from unisono.core.record import PHONEMES
from unisono.serve.wire.errors import ApiError
from unisono.speakers.consent import check_consent, check_sentence, voice_in
from unisono.speakers.encoder import SAMPLE_RATE, can_judge_voices
from unisono.speakers.guard import INSTALL, mean_embedding
from unisono.tokenizer import OmniTokenizer

Floats = NDArray[np.float32]
MAX_VOICES = 1000  # and as many consents, in all
READER = Path("audio_codec") / PHONEMES


@dataclass(frozen=True)
class VoiceConsent:
    """What somebody agreed to; the recording lies beside it, `id`.flac."""

    id: str
    owner: str  # digest of the key that may use it
    name: str
    language: str
    created_at: int

    def shown(self) -> dict[str, object]:
        """As the API has it."""
        kept = {"id": self.id, "name": self.name, "language": self.language, "created_at": self.created_at}
        return {"object": "audio.voice_consent", **kept}


@dataclass(frozen=True)
class OwnVoice:
    """A voice that rests on a consent."""

    id: str
    owner: str
    name: str
    consent: str  # its id
    codec: str  # fingerprint of the codec that the style belongs to
    style: list[float]
    embedding: list[float]  # that the voice guard compares with
    created_at: int

    def shown(self) -> dict[str, object]:
        """As the API has it."""
        return {"object": "audio.voice", "id": self.id, "name": self.name, "created_at": self.created_at}


Entry = VoiceConsent | OwnVoice
Kind = TypeVar("Kind", VoiceConsent, OwnVoice)


def owner_of(key: str) -> str:
    """What is written down in place of a key."""
    return hashlib.sha256(key.encode("utf8", "surrogateescape")).hexdigest()


class OwnVoices:
    """The voices and consents in a folder. UserError where this network or this machine cannot have any."""

    def __init__(self, folder: Path, network: Path, tokenizer: OmniTokenizer) -> None:
        if not isinstance(tokenizer.audio_codec, SpeechCodec):
            raise UserError(
                "--voices needs a network whose codec is told the voice; this one speaks in its own alone, "
                "so start without --voices"
            )
        if not can_judge_voices():
            raise UserError(f"--voices compares voices by the weights in the package resemblyzer; {INSTALL}")
        self.folder, self.codec = folder, tokenizer.audio_codec
        self.reader = PhonemeReader.load(network / READER)
        self.fingerprint = made_by(self.codec)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"cannot keep voices in {folder}: {error.strerror}; name another folder"
            ) from None
        self.entries: dict[str, Entry] = {}
        for kind, pattern in ((VoiceConsent, "cons_*.json"), (OwnVoice, "voice_*.json")):
            found = [_read(kind, path) for path in folder.glob(pattern)]
            self.entries |= {one.id: one for one in sorted(found, key=lambda one: one.created_at)}

    def of(self, owner: str, kind: type[Kind]) -> list[Kind]:
        """What a key has of a kind, oldest first."""
        return [one for one in self.entries.values() if isinstance(one, kind) and one.owner == owner]

    def find(self, owner: str, kind: type[Kind], id: str) -> Kind | None:
        """One of this key; those of others do not exist for it."""
        found = self.entries.get(id)
        return found if isinstance(found, kind) and found.owner == owner else None

    def voice(self, id: str) -> OwnVoice | None:
        """Whoever knows the id of a voice may speak in it: 96 random bits, told to its key alone."""
        found = self.entries.get(id)
        return found if isinstance(found, OwnVoice) else None

    def style(self, voice: OwnVoice) -> Tensor:
        """(S,) for the codec's decoder. ApiError for a voice that was read with another codec."""
        if voice.codec != self.fingerprint:
            raise ApiError(f"The voice {voice.id} belongs to another codec; create it again.", 400, "voice")
        return torch.tensor(voice.style)

    def add_consent(self, owner: str, name: str, language: str, pcm: Floats) -> VoiceConsent:
        """(N,) a recording of the sentence -> the consent, kept. RecordingError where it is none."""
        self._room(VoiceConsent)
        voice_in(pcm)
        check_sentence(self._phonemes(pcm))
        made = VoiceConsent(f"cons_{uuid.uuid4().hex[:24]}", owner, name, language, int(time.time()))
        with_sound = self.folder / f"{made.id}.flac"
        _write(with_sound, lambda part: soundfile.write(part, pcm, SAMPLE_RATE, format="FLAC"))
        return self._keep(made)

    def add_voice(self, owner: str, name: str, consent: VoiceConsent, pcm: Floats) -> OwnVoice:
        """(N,) a sample of whoever consented -> the voice, kept. RecordingError where another one speaks."""
        self._room(OwnVoice)
        agreed, _ = soundfile.read(self.folder / f"{consent.id}.flac", dtype="float32")
        check_consent(self._phonemes(agreed), voice_in(agreed), voice_in(pcm))
        style = self.codec.voice_of(torch.from_numpy(pcm)).tolist()
        return self._keep(
            OwnVoice(
                f"voice_{uuid.uuid4().hex[:24]}",
                owner,
                name,
                consent.id,
                self.fingerprint,
                style,
                [round(float(value), 5) for value in mean_embedding([pcm])],
                int(time.time()),
            )
        )

    def rename(self, entry: VoiceConsent, name: str) -> VoiceConsent:
        """The consent under another name."""
        return self._keep(dataclasses.replace(entry, name=name))

    def delete(self, entry: Entry) -> None:
        """Forgets it, and every voice that rests on it."""
        resting = [
            one for one in self.entries.values() if isinstance(one, OwnVoice) and one.consent == entry.id
        ]
        for one in (*resting, entry):
            self.entries.pop(one.id, None)
            for ending in (".json", ".flac"):
                (self.folder / f"{one.id}{ending}").unlink(missing_ok=True)

    @torch.inference_mode()
    def _phonemes(self, pcm: Floats) -> Tensor:
        codes = self.codec.encode(torch.from_numpy(pcm)[None])
        found: Tensor = self.reader(self.codec.quantizer.from_codes(codes))[0]
        return found

    def _keep(self, entry: Kind) -> Kind:
        told = json.dumps(dataclasses.asdict(entry), ensure_ascii=False) + "\n"
        _write(self.folder / f"{entry.id}.json", lambda part: part.write_text(told, encoding="utf8"))
        self.entries[entry.id] = entry
        return entry

    def _room(self, kind: type[Entry]) -> None:
        if sum(isinstance(one, kind) for one in self.entries.values()) >= MAX_VOICES:
            raise ApiError(f"There is no room for more than {MAX_VOICES}; delete some first.", 400, "name")


def _write(path: Path, write: Callable[[Path], object]) -> None:
    try:
        atomic_write(path, write)
    except UserError as error:  # it names the place, which is nobody's business outside
        raise ApiError("The server cannot keep this on its disk; try again later.", 507) from error


def _read(kind: Callable[..., Entry], path: Path) -> Entry:
    try:
        return kind(**json.loads(path.read_text(encoding="utf8")))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path} is damaged ({error}); move it out of the folder of voices") from None
