"""What the tests of conversations that become shards share: a bank of spoken sentences, and batches that are
small.
"""

import shutil

import pytest

from unisono.data.shards import coder as coder_module, prepare as module
from unisono.data.shards.coder import Coder
from unisono.data.shards.prepare import world_conversations
from unisono.data.speech.codebank import CodeBank, encode_waves
from unisono.data.speech.corpus import Spoken, to_int16, write_waves
from unisono.data.speech.voices import speak
from unisono.data.world.conversations import MAKERS
from unisono.tokenizer import OmniTokenizer


@pytest.fixture(autouse=True)
def no_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coder_module, "INSTRUCTED", 0.0)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few at a time, and questions as they are: one test is about how people type them."""
    monkeypatch.setattr(module, "BATCH", 4)
    monkeypatch.setattr(coder_module, "loosely", lambda text, rng: text)


@pytest.fixture(scope="module")
def bank(tokenizer: OmniTokenizer, tmp_path_factory: pytest.TempPathFactory) -> CodeBank:
    """What the two conversations of each task say, spoken by espeak-ng: questions by espeak00, answers in the
    name of heart.
    """
    if not shutil.which("espeak-ng"):
        pytest.skip("needs the program espeak-ng")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BATCH", 4)
        patch.setattr(coder_module, "loosely", lambda text, rng: text)
        silent = Coder(tokenizer, CodeBank([]), "train", 1)
        said = [
            (message.role, message.text)
            for task in MAKERS
            for messages in world_conversations(task, 2, "train", silent, 1)
            for message in messages
            if message.text
        ]
    items = [
        Spoken(
            to_int16(speak(text, "espeak00")),
            {
                "text": text,
                "voice": "espeak00" if role == "user" else "heart",
                "split": "train",
                "source": "espeak",
            },
        )
        for role, text in dict.fromkeys(said)
    ]
    word, bark, test = (to_int16(speak(text, "espeak01")) for text in ("dog", "woof", "seven"))
    items += [
        Spoken(
            word,
            {
                "text": "كلب",
                "meaning": "dog",
                "voice": "arabic1",
                "split": "train",
                "source": "arabic_commands",
            },
        ),
        Spoken(
            bark, {"text": None, "label": "dog_bark", "voice": "esc10", "split": "train", "source": "esc10"}
        ),
        Spoken(test, {"text": "seven", "voice": "slt", "split": "test", "source": "espeak"}),
    ]
    folder = tmp_path_factory.mktemp("speech")
    write_waves(folder / "waves", items)
    encode_waves(folder / "waves", tokenizer.audio_codec, folder / "codes")
    return CodeBank([folder / "codes"])
