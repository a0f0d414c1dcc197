"""`unisono train speakers`: what each voice of a finished network sounds like, for the voice guard."""

from pathlib import Path

from unisono.core.home import default_weights
from unisono.core.progress import track
from unisono.omni import Omni
from unisono.speakers.guard import VoiceGuard, mean_embedding

SENTENCES = (
    "The boy put his shoes under the chair and went to bed.",
    "Every morning she buys two rolls and a newspaper.",
    "How far is it from the village to the sea?",
    "Green leaves fall from the trees when the wind blows.",
)


def run(model: str | None) -> int:
    """Entry, for the network in the folder `model`: it says a few sentences in each of its voices, whose mean
    embeddings are kept.
    """
    folder = Path(model or default_weights())
    omni = Omni(folder)
    names = omni.tokenizer.speakers
    said = {
        name: [omni.say(text, voice=name, seed=0).pcm for text in track(SENTENCES, name)] for name in names
    }
    path = VoiceGuard({name: mean_embedding(clips) for name, clips in said.items()}).save(folder)
    print(f"{path}: {', '.join(names)}")
    return 0
