"""Voices of a codec that is told them: the network chooses what is said, the codec how it sounds."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Connect, Running, tiny_speech_codec
from openai import BadRequestError

from unisono.codecs.speech import PRESETS
from unisono.core.errors import UserError
from unisono.omni import Omni


@pytest.fixture(scope="module")
def network(tiny_network: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny network with the codec of 25 ids a second, whose presets differ; one was never taught."""
    folder = tmp_path_factory.mktemp("presets") / "network"
    shutil.copytree(tiny_network, folder)
    codec = tiny_speech_codec()
    torch.nn.init.normal_(codec.presets)
    codec.presets[PRESETS.index("verse")] = 0
    codec.save(folder / "audio_codec")
    return folder


def test_the_same_words_in_two_voices(network: Path) -> None:
    omni = Omni(network)
    marin, echo = (omni.say("Good morning.", voice=name, seed=0) for name in ("marin", "echo"))
    assert len(marin.pcm) == len(echo.pcm) > 0 and not np.allclose(marin.pcm, echo.pcm, atol=1e-4)
    assert np.array_equal(omni.say("Good morning.", seed=0).pcm, marin.pcm)  # the usual one
    with pytest.raises(UserError, match="no voice 'verse'; this network speaks as marin, alloy"):
        omni.say("Good morning.", voice="verse")


def test_the_server_knows_them_by_name(network: Path, connect: Connect) -> None:
    server = Running(network)
    try:
        client = connect(server)
        for voice in ("shimmer", "onyx"):  # one of its own, and one that only OpenAI has
            sound = client.audio.speech.create(
                model="tts-1", voice=voice, input="Good morning.", response_format="pcm"
            )
            assert len(sound.content) > 0
        with pytest.raises(BadRequestError, match="There is no voice 'heart'; choose from marin, alloy"):
            client.audio.speech.create(model="tts-1", voice="heart", input="Good morning.")
    finally:
        server.stop()
