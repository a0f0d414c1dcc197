"""What may be given to a network and its folder: every kind of input is taken, the others are refused with a
sentence.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import drawing, tone
from PIL import Image as Pictures

import unisono
from unisono.core import home
from unisono.core.errors import UserError
from unisono.media import Footage, Sound, read_picture
from unisono.omni import Omni, Reply, code
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Audio, Image, Text, Video


@pytest.fixture(scope="module")
def omni(tiny_network: Path) -> Omni:
    return Omni(tiny_network)


@pytest.fixture(autouse=True)
def nothing_leaks(omni: Omni) -> Iterator[None]:
    """A closed conversation leaves nothing in the engine."""
    yield
    assert not omni.engine.slots  # type: ignore[attr-defined]


def test_inputs_of_every_kind(omni: Omni) -> None:
    clip = Footage([drawing()] * 2, Sound(tone(1.0, 44100, 2), 44100))
    parts = [
        omni.code(part)
        for part in (
            "Hello",
            Sound(tone(), 16000),
            drawing((9, 500), "RGBA"),
            clip,
            Footage([drawing()], None),
        )
    ]
    assert [type(part) for part in parts] == [Text, Audio, Image, Video, Video]
    assert (
        len(parts[1].codes) == 25
        and [len(codes) for codes in parts[3].audio] == [25, 25]
        and not parts[4].audio
    )
    assert isinstance(omni.reply(*("Hello", Sound(tone(), 16000), drawing(), clip)), Reply)


def test_what_cannot_be_said_is_explained(omni: Omni) -> None:
    for outputs in ((), ("smell",), ("text", "video"), None, [1], [["text"]], "smell"):
        with pytest.raises(UserError, match="outputs are made of text, audio, image"):
            omni.conversation(outputs=outputs)
    for seed in (-1, 1.5, "3"):
        with pytest.raises(UserError, match=f"a seed is a whole number from 0 on, got {seed!r}"):
            omni.conversation(seed=seed)  # type: ignore[arg-type]
    with omni.conversation() as conversation:
        with pytest.raises(UserError, match="nothing was said"):
            conversation.reply()
        for blank in ("", "  \n"):
            with pytest.raises(UserError, match="nothing was said"):
                conversation.reply(blank, "")
        with pytest.raises(UserError, match="unisono.picture or unisono.clip reads, got int"):
            conversation.reply("Hello", 3)  # type: ignore[arg-type]
        assert conversation.session.length == 0
    for pcm, rate, words in (
        (tone(), 0, "sample rate above 0, got 0"),
        (tone()[:0], 16000, "at least one sample"),
        (np.stack([tone()] * 2), 16000, r"\(samples, channels\) .* got \(2, 8000\)"),
    ):
        for part in (Sound(pcm, rate), Footage([drawing()], Sound(pcm, rate))):
            if len(pcm) or isinstance(part, Sound):  # a clip may be silent
                with pytest.raises(UserError, match=words):
                    omni.code(part)
    with pytest.raises(UserError, match="at least one picture"):
        omni.code(Footage([], None))
    with pytest.raises(UserError):
        code(omni.tokenizer, Path("cat.png"))  # type: ignore[arg-type]
    for sentence in (None, 3, " "):
        with pytest.raises(UserError, match="nothing to say; expected a sentence"):
            omni.say(sentence)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="instructions are text, got int"):
        omni.conversation(instructions=3)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="sample rate above 0, got '8000'"):
        omni.code(Sound(tone(), "8000"))  # type: ignore[arg-type]
    with pytest.raises(UserError, match="a picture with pixels, got one of 0 x 3"):
        omni.code(Pictures.new("RGB", (0, 3)))
    with pytest.raises(UserError, match="expected the folder of a network, got 3"):
        Omni(3)  # type: ignore[arg-type]
    for source in (None, 3, ""):
        with pytest.raises(UserError, match="expected the path of a picture"):
            read_picture(source)  # type: ignore[arg-type]


def test_a_picture_whose_file_is_cut_off_is_explained(omni: Omni, tmp_path: Path) -> None:
    drawing().resize((256, 256)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:-60])
    with (
        Pictures.open(tmp_path / "cut.png") as cut,
        pytest.raises(UserError, match="expected a whole picture"),
    ):
        omni.code(cut)


def test_one_output_may_be_a_word(omni: Omni) -> None:
    with omni.conversation(outputs="text") as conversation:
        assert conversation.outputs == {"text"}


def test_a_network_of_another_vocabulary_is_refused(tiny_network: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_network, tmp_path, dirs_exist_ok=True)
    sizes = json.loads((tmp_path / "vocabulary.json").read_text())
    (tmp_path / "vocabulary.json").write_text(json.dumps({**sizes, "audio_size": sizes["audio_size"] + 64}))
    with pytest.raises(UserError, match="not of the same training"):
        Omni(tmp_path)
    (tmp_path / "vocabulary.json").write_text(json.dumps({**sizes, "text_size": 300}))
    with pytest.raises(UserError, match="not of the same network"):
        Omni(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["vocabulary.json", "tokenizer.json", "config.json", "model.safetensors", "audio_codec", "image_codec"],
)
def test_an_incomplete_folder_is_refused(tiny_network: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(tiny_network, tmp_path, dirs_exist_ok=True)
    (shutil.rmtree if (tmp_path / name).is_dir() else Path.unlink)(tmp_path / name)
    with pytest.raises(UserError):
        Omni(tmp_path)


def test_the_package_without_weights_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "shipped", lambda: tmp_path)
    with pytest.raises(UserError, match="no weights in .* name a folder with --model"):
        Omni()
    for size, name in enumerate(("nano", "small", "base")):  # each is larger than those before
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "model.safetensors").write_bytes(bytes(size))
        assert home.default_weights() == tmp_path / name


def test_the_public_surface(tiny_network: Path) -> None:
    assert unisono.load is Omni and unisono.UserError is UserError
    assert all(getattr(unisono, name) for name in unisono.__all__)
    with pytest.raises(AttributeError, match="it offers load, picture, sound"):
        unisono.speak  # noqa: B018
    assert isinstance(unisono.load(tiny_network).tokenizer, OmniTokenizer) and torch.is_grad_enabled()
