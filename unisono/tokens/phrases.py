"""Prompts for transcription, speech synthesis, translation and naming a sound.

The training data uses all of them. The server turns a request to such an endpoint into the first of each.
Also how tools and calls are written.
"""

import json
from typing import Any

WRITE_DOWN = (
    "Write down what you hear.",
    "Transcribe this.",
    "What is said here?",
    "Write what is being said.",
)
SAY = ("Say: {}", "Read this aloud: {}", "Please say: {}", "Speak: {}")
MEANING = ("What does it mean in English?", "Translate this into English.")
SOUND = ("What do you hear?", "What sound is this?", "What is this sound?")
DESCRIBE = ("Describe the picture.", "What is in the picture?", "What do you see?", "Tell me what you see.")
DRAW = ("Draw {}.", "Please draw {}.", "Make a picture of {}.", "Show me {}.")
# Of a network that begins from an LLM: how a schema is told that its answer must fit, and JSON of no schema.
AS_JSON, ANY_JSON = "Answer as JSON after this schema: {schema}", "Answer as JSON."


def voice_line(voice: str) -> str:
    """First line of the system message of a conversation that is answered aloud."""
    return f"voice: {voice}"


def tool_line(name: str, description: str, parameters: dict[str, Any]) -> str:
    """A tool as a line of the system message; `parameters` is the schema of its arguments."""
    schema = json.dumps(parameters, ensure_ascii=False, separators=(",", ":"))
    return " ".join(f"tool {name}: {description}".split()) + f" {schema}"


def call_text(name: str, arguments: str) -> str:
    """A call as the network writes it; `arguments` is JSON, or its beginning where the call broke off."""
    try:  # as the network would have written it, so that what it computed then is found again
        arguments = json.dumps(json.loads(arguments), ensure_ascii=False)
    except (ValueError, RecursionError):
        pass
    return f'{{"name": "{name}", "arguments": {arguments}}}'
