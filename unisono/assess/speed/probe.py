"""What one user feels, measured in a process of its own: `python -m unisono.assess.speed.probe FOLDER WAV
BEGAN` prints JSON.

BEGAN is the wall clock just before this process was started. Imports nothing before main, and then only what
a user would.
Units: seconds since the question was asked; null where nothing of a kind came.
"""

import json
import sys
import time
from typing import Any

QUESTION = "What colour is the sky?"


def ask(omni: Any, part: Any, outputs: tuple[str, ...]) -> dict[str, Any]:
    """One question in a fresh conversation -> when the first word and sound came, and the whole."""
    from unisono.omni import SoundDelta
    from unisono.tokenizer import TextDelta

    first: dict[type, float] = {}
    num_samples, text = 0, ""
    began = time.perf_counter()
    with omni.conversation(outputs=outputs, seed=1) as conversation:
        for event in conversation.stream(part):
            first.setdefault(type(event), time.perf_counter() - began)
            if isinstance(event, SoundDelta):
                num_samples += len(event.pcm)
            elif isinstance(event, TextDelta):
                text += event.text
    return {
        "first_word_s": first.get(TextDelta),
        "first_sound_s": first.get(SoundDelta),
        "total_s": time.perf_counter() - began,
        "sound_s": num_samples / omni.sample_rate,
        "text": text,
    }


def main(folder: str, wav: str, began: float) -> None:
    """Loads, is asked by keyboard and by voice, prints."""
    import unisono
    from unisono.core.device import resident_mb
    from unisono.omni import Omni

    imported = time.time()
    omni = Omni(folder)
    ready = time.time()
    typed = ask(omni, QUESTION, ("text",))
    spoken = ask(omni, unisono.sound(wav), ("text", "audio"))
    print(
        json.dumps(
            {
                "import_s": imported - began,
                "load_s": ready - began,
                "typed": typed,
                "spoken": spoken,
                "resident_mb": resident_mb(),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
