"""Names of the one network: its own, and those that clients have as defaults. A client that was only
pointed here asks for the model of another server; unless the operator is strict, it is answered.
"""

import re

MODEL = "unisono"
OWN = (MODEL, "unisono-nano")
# Listed by GET /v1/models, so that clients find what they look for. ALIAS holds many more.
LISTED = (
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-4.1",
    "gpt-4.1-mini",
    "gpt-5",
    "gpt-5-mini",
    "gpt-5.6-luna",
    "gpt-3.5-turbo",
    "gpt-4o-audio-preview",
    "gpt-audio",
    "gpt-realtime",
    "gpt-realtime-mini",
    "gpt-realtime-2.1",
    "gpt-4o-realtime-preview",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-transcribe-diarize",
    "gpt-transcribe",
    "gpt-live-transcribe",
    "gpt-realtime-whisper",
    "whisper-1",
    "tts-1",
    "tts-1-hd",
    "gpt-4o-mini-tts",
    "gpt-image-1",
    "gpt-image-2.5-flare",
    "dall-e-2",
    "dall-e-3",
    "text-embedding-3-small",
    "text-embedding-3-large",
    "text-embedding-ada-002",
    "omni-moderation-latest",
    "omni-moderation-2024-09-26",
    "text-moderation-latest",
    "text-moderation-stable",
)
DATED = r"(-\d{4}-\d{2}-\d{2}|-\d{4})?"
VARIANT = (
    r"(-(mini|nano|pro|turbo|preview|latest|chat|codex|max|high|low|audio|realtime|search|deep-research|api|"
    r"transcribe|diarize|whisper|tts|hd|instruct|vision|luna|flare|\d{1,2}k|\d(\.\d)?|\d{4}-\d{2}-\d{2}|\d{4}))*"
)
ALIAS = re.compile(
    rf"(chat)?gpt-(3\.5|4(\.\d|o)?|[56](\.\d)?|audio|realtime|image|transcribe|live){VARIANT}"
    rf"|chatgpt-image-latest|codex-mini-latest|o[1-9]{VARIANT}|computer-use-preview{DATED}"
    rf"|whisper-1|tts-1(-hd)?{DATED}|dall-e-[23]"
    r"|text-embedding-(3-small|3-large|ada-002)"
    rf"|(omni|text)-moderation(-latest|-stable|-\d{{3}}|{DATED})"
)


def is_answered(name: object, *, strict: bool) -> bool:
    """Whether a request for this model is answered; a strict server answers to its own names alone."""
    if not isinstance(name, str):
        return False
    return name in OWN or not strict and ALIAS.fullmatch(name) is not None


def listed(*, strict: bool) -> tuple[str, ...]:
    """What GET /v1/models names."""
    return OWN if strict else (*OWN, *LISTED)
