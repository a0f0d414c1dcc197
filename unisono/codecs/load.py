"""Audio codecs on disk: which of the two kinds a folder holds is told by its config.json."""

import json
from pathlib import Path

from unisono.codecs.audio import AudioCodec
from unisono.codecs.speech import SpeechCodec

AnyAudioCodec = AudioCodec | SpeechCodec
OF_SPEECH = "style_size"  # of config.json: only a codec that is told the voice has it


def load_audio_codec(folder: str | Path) -> AnyAudioCodec:
    """Reads what `save` of either codec wrote; UserError says what is missing or does not fit."""
    try:
        stored = json.loads((Path(folder) / "config.json").read_text())
    except (OSError, ValueError):
        stored = None  # the usual codec says what is wrong
    kind = SpeechCodec if isinstance(stored, dict) and OF_SPEECH in stored else AudioCodec
    return kind.load(folder)
