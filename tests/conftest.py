"""What several tests share: a tiny random network with its codecs, and real files of sound, pictures and
clips.
"""

import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import torch
from openai import OpenAI
from PIL import Image, ImageDraw

from unisono.codecs.audio import AudioCodec, AudioCodecConfig
from unisono.codecs.image import ImageCodec, ImageCodecConfig
from unisono.codecs.speech import SpeechCodec, SpeechCodecConfig
from unisono.core.home import default_weights
from unisono.engine.sample import SAMPLING, Sampling
from unisono.model.config import preset
from unisono.model.hf import save_pretrained
from unisono.model.transformer import Qwen3
from unisono.serve.reply.guards import Guards
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.text import TextTokenizer
from unisono.tokens.vocab import Vocabulary

SENTENCES = [
    "What colour is the sky?",
    "The sky is blue.",
    "voice: heart",
    "Draw a red circle.",
    "Here is a red circle.",
    "Say: good morning.",
    "I hear a dog.",
    "¿Qué es esto? \U0001f600\U0001f601\U0001f600",
    "It says 42.",
]
SECONDS, CLIP_FPS = 0.5, 8


def tiny_tokenizer() -> OmniTokenizer:
    """Random codecs of 15 codes each, pictures of 4 x 4 codes, 512 pieces of text or as many as the sentences
    give.
    """
    torch.manual_seed(0)
    text = TextTokenizer.train(SENTENCES, 512)
    audio = AudioCodec(
        AudioCodecConfig(
            levels=(5, 3),
            encoder_channels=16,
            decoder_channels=16,
            encoder_dilations=(1,),
            decoder_dilations=(1, 2),
        )
    ).eval()
    image = ImageCodec(
        ImageCodecConfig(
            image_size=32, levels=(5, 3), fine_channels=8, coarse_channels=8, num_coarse_blocks=1
        )
    ).eval()
    return OmniTokenizer(Vocabulary(text.size, 15, 15), text, audio, image)


def tiny_speech_codec() -> SpeechCodec:
    """Random, of 15 codes: the kind of 25 codes a second that is told the voice."""
    torch.manual_seed(0)
    config = SpeechCodecConfig(
        levels=(5, 3),
        num_mels=8,
        encoder_channels=8,
        encoder_heads=1,
        ahead=(1,),
        encoder_layers=2,
        window=4,
        decoder_channels=8,
        decoder_dilations=(1,),
        fine_channels=8,
        fine_dilations=(1,),
        style_size=4,
    )
    return SpeechCodec(config).eval()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="session")
def tiny_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a network with 1024 ids of context; its weights are wide enough that its replies vary."""
    folder = tmp_path_factory.mktemp("tiny_network")
    tokenizer = tiny_tokenizer()
    tokenizer.save(folder)
    model = Qwen3(preset("tiny", tokenizer.vocab.size, max_position_embeddings=1024))
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.1) if weight.ndim > 1 else weight.uniform_(0.5, 1.5)
    save_pretrained(
        model,
        folder,
        {"eos_token_id": tokenizer.vocab.id("<|end|>"), "pad_token_id": tokenizer.vocab.id("<|pad|>")},
    )
    return folder


@pytest.fixture(scope="session")
def tokenizer(tiny_network: Path) -> OmniTokenizer:
    """The tokenizer of the tiny network, as it comes back from disk."""
    return OmniTokenizer.load(tiny_network)


def tone(seconds: float = SECONDS, rate: int = 16000, channels: int = 1) -> np.ndarray:
    """(N,) or (N, channels) float32: a tone with a slow swell."""
    time = np.arange(round(seconds * rate)) / rate
    pcm = (0.3 * np.sin(2 * np.pi * 440 * time) * (1 + np.sin(7 * time)) / 2).astype(np.float32)
    return pcm if channels == 1 else np.stack([pcm] * channels, 1)


def drawing(size: tuple[int, int] = (48, 32), mode: str = "RGB") -> Image.Image:
    """A red disc on blue."""
    picture = Image.new("RGB", size, (40, 60, 200))
    ImageDraw.Draw(picture).ellipse((4, 4, size[1] - 4, size[1] - 4), fill=(220, 30, 30))
    return picture.convert(mode)


def write_clip(
    path: Path,
    seconds: float = 1.0,
    *,
    sound: bool = True,
    sound_s: float | None = None,
    codec: str = "mpeg4",
) -> Path:
    """A clip of a moving square at 8 pictures a second, with a tone as long as the clip, or of `sound_s`."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=CLIP_FPS)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("aac", rate=16000, layout="mono") if sound else None
        for number in range(round(seconds * CLIP_FPS)):
            picture = Image.new("RGB", (64, 48), "white")
            ImageDraw.Draw(picture).rectangle((4 * number % 50, 10, 4 * number % 50 + 12, 30), fill="green")
            container.mux(video.encode(av.VideoFrame.from_image(picture)))
        container.mux(video.encode(None))
        if audio:
            pcm = tone(sound_s or seconds)
            for done in range(0, len(pcm), 1024):
                frame = av.AudioFrame.from_ndarray(
                    pcm[None, done : done + 1024], format="fltp", layout="mono"
                )
                frame.sample_rate, frame.pts, frame.time_base = 16000, done, Fraction(1, 16000)
                container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """media("sound.wav") and so on: a small real file of that name, made once."""
    folder = tmp_path_factory.mktemp("media")

    def make(name: str) -> Path:
        path = folder / name
        if path.exists():
            return path
        if path.suffix in (".wav", ".flac", ".mp3", ".ogg"):
            soundfile.write(str(path), tone(), 16000)
        elif path.suffix in (".mp4", ".mkv"):
            write_clip(path, sound="silent" not in name)
        elif path.suffix == ".gif":
            turning = [drawing().rotate(30 * number) for number in range(8)]
            turning[0].save(path, save_all=True, append_images=turning[1:], duration=125)
        else:
            drawing().save(path)
        return path

    return make


class Running:
    """A server in a thread of this process, as clients meet it."""

    def __init__(
        self, folder: Path, guards: Guards = Guards(), voices: Path | None = None, **settings: object
    ) -> None:
        import uvicorn

        from unisono.serve.app import create_app
        from unisono.serve.reply.service import Service
        from unisono.serve.wire.access import Settings

        self.settings = Settings(**settings)
        self.service = Service(folder, guards=guards, voices=voices)
        config = uvicorn.Config(
            create_app(self.service, self.settings),
            host="127.0.0.1",
            port=0,
            log_config=None,
            ws="websockets-sansio",
            ws_max_size=16_000_000,
            ws_per_message_deflate=False,
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            assert self.thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def stop(self) -> None:
        """Ends it."""
        self.server.should_exit = True
        self.thread.join(10)


@pytest.fixture(scope="session")
def tiny_server(tiny_network: Path) -> Iterator[Running]:
    """The server over the tiny random network: shapes, order and errors."""
    running = Running(tiny_network)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def shipped_server() -> Iterator[Running]:
    """The server over the weights that ship: content."""
    running = Running(default_weights())
    yield running
    running.stop()


@pytest.fixture
def lively(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are drawn with all their spread: a random network near its likeliest draws the same each
    time.
    """
    monkeypatch.setitem(SAMPLING, "image", Sampling(temperature=1.0))


@pytest.fixture
def quiet(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Whatever is wrong with a file: nothing is printed and nothing warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    assert capfd.readouterr() == ("", "")


Connect = Callable[..., OpenAI]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """connect(server, key="x", strict=True): OpenAI's own client, which checks every answer; closed after the
    test.
    """
    with ExitStack() as opened:

        def made(server: Running, key: str = "x", *, strict: bool = True) -> OpenAI:
            return opened.enter_context(
                OpenAI(base_url=server.url, api_key=key, max_retries=0, _strict_response_validation=strict)
            )

        yield made


@pytest.fixture(scope="module")
def client(tiny_server: Running) -> Iterator[OpenAI]:
    """OpenAI's own client in strict mode."""
    with OpenAI(
        base_url=tiny_server.url + "/", api_key="x", max_retries=0, _strict_response_validation=True
    ) as made:
        yield made


@pytest.fixture(scope="module")
def silent(tiny_server: Running) -> dict[str, int]:
    """A logit_bias that keeps the network from thinking and from going on with text, so that it speaks, calls
    or ends.
    """
    vocab = tiny_server.service.vocab
    return {str(id): -100 for id in (*range(vocab.text_size), vocab.id("<|begin_thought|>"))}
