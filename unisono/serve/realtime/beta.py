"""Members of a realtime session as the beta of the API spelled them, put into the words of today.

What the beta knew is honoured, also beside today's words; a member given in both with different values is
refused, for nobody could say which was meant.
"""

from typing import Any

FORMATS = {
    "pcm16": {"type": "audio/pcm", "rate": 24000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}
# The beta's name -> where it stands now. temperature kept its name.
PLACES = {
    "modalities": ("output_modalities",),
    "max_response_output_tokens": ("max_output_tokens",),
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
    "output_audio_format": ("audio", "output", "format"),
    "input_audio_format": ("audio", "input", "format"),
    "input_audio_transcription": ("audio", "input", "transcription"),
    "input_audio_noise_reduction": ("audio", "input", "noise_reduction"),
    "turn_detection": ("audio", "input", "turn_detection"),
}


def from_beta(given: Any) -> Any:
    """A session or a response as a client sent it -> with today's members; ValueError where the two
    contradict each other. What is no object is left to whoever checks it.
    """
    if not isinstance(given, dict) or not PLACES.keys() & given.keys():
        return given
    made = {name: value for name, value in given.items() if name not in PLACES}
    for name in PLACES.keys() & given.keys():
        *way, last = PLACES[name]
        inner = made
        for step in way:
            inner[step] = dict(inner[step]) if isinstance(inner.get(step), dict) else {}
            inner = inner[step]
        value = _value(name, given[name])
        if inner.get(last, value) != value:
            raise ValueError(f"{name} is the beta's word for {'.'.join(PLACES[name])}; give one of the two")
        inner[last] = value
    return made


def _value(name: str, value: Any) -> Any:
    if name == "modalities" and isinstance(value, list) and "audio" in value:
        return ["audio"] if set(map(str, value)) <= {"audio", "text"} else value
    if name.endswith("_audio_format") and isinstance(value, str):
        return FORMATS.get(value, value)
    return value
