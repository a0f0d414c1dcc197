"""The audio codec of 25 ids a second: ids say what is said, a style vector says in which voice it comes back.

The contract is that of codecs/audio.py: encode, decode, streams of both, and the physical numbers. Beside it
there are voices: presets by name, and the style of a recording.

Shapes: B batch, N samples, F frames of 40 ms, S numbers of a style. pcm is float in [-1, 1] at 16 kHz.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from unisono.codecs.logmel import LogMel
from unisono.codecs.quantize import FSQ
from unisono.codecs.speech_decoder import DecoderState, SpeechDecoder, SpeechDecoderConfig
from unisono.codecs.speech_encoder import EncoderState, SpeechEncoder, SpeechEncoderConfig
from unisono.codecs.storage import load_codec, save_codec
from unisono.codecs.stream import EncoderStream
from unisono.codecs.style import StyleEncoder
from unisono.core.errors import UserError

PRESETS = ("alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse")
DEFAULT_VOICE = "marin"
MIN_REFERENCE_S = 2.0
SILENCE = 0.003  # root mean square; a quieter recording holds no voice

Voice = str | Tensor  # a preset's name, or a style (S,)


@dataclass(frozen=True)
class SpeechCodecConfig:
    """Everything that fixes the shape of a SpeechCodec."""

    sample_rate: int = 16000
    frame_size: int = 640  # samples an id: 25 ids a second
    levels: tuple[int, ...] = (8, 8, 8, 6, 5)  # 15,360 ids
    num_mels: int = 80
    encoder_channels: int = 384
    encoder_heads: int = 6
    ahead: tuple[int, ...] = (2, 1)  # half-frames that the encoder's first layers look ahead
    encoder_layers: int = 4
    window: int = 50  # frames that the encoder attends to: 2 s
    decoder_channels: int = 384
    decoder_dilations: tuple[int, ...] = (1, 2, 1, 2, 1)
    fine_channels: int = 192
    fine_dilations: tuple[int, ...] = (1, 2, 4)
    style_size: int = 64

    @property
    def encoder(self) -> SpeechEncoderConfig:
        """The encoder's part."""
        return SpeechEncoderConfig(
            self.sample_rate,
            self.frame_size,
            self.levels,
            self.num_mels,
            self.encoder_channels,
            self.encoder_heads,
            self.ahead,
            self.encoder_layers,
            self.window,
        )

    @property
    def lookahead(self) -> int:
        """Frames that the encoder waits."""
        return self.encoder.lookahead

    @property
    def decoder(self) -> SpeechDecoderConfig:
        """The decoder's part."""
        return SpeechDecoderConfig(
            frame_size=self.frame_size,
            num_dims=len(self.levels),
            channels=self.decoder_channels,
            dilations=self.decoder_dilations,
            fine_channels=self.fine_channels,
            fine_dilations=self.fine_dilations,
            style_size=self.style_size,
        )

    def around(self, encoder: SpeechEncoderConfig) -> "SpeechCodecConfig":
        """The same codec with this encoder."""
        return replace(
            self,
            sample_rate=encoder.sample_rate,
            frame_size=encoder.frame_size,
            levels=encoder.levels,
            num_mels=encoder.num_mels,
            encoder_channels=encoder.channels,
            encoder_heads=encoder.num_heads,
            ahead=encoder.ahead,
            encoder_layers=encoder.num_layers,
            window=encoder.window,
        )


class SpeechCodec(nn.Module):
    """The contract of every codec, and voices."""

    def __init__(self, config: SpeechCodecConfig = SpeechCodecConfig()) -> None:
        super().__init__()
        self.config = config
        self.quantizer = FSQ(config.levels)
        self.encoder = SpeechEncoder(config.encoder)
        self.decoder = SpeechDecoder(config.decoder)
        self.logmel = LogMel(config.sample_rate, config.frame_size, config.num_mels)
        self.style = StyleEncoder(self.logmel.num_features, size=config.style_size)
        self.presets = nn.Parameter(torch.zeros(len(PRESETS), config.style_size), requires_grad=False)
        self.sample_rate, self.frame_size = config.sample_rate, config.frame_size
        self.frame_rate = config.sample_rate / config.frame_size
        self.codebook_size, self.num_codebooks = self.quantizer.codebook_size, 1

    @torch.inference_mode()
    def encode(self, pcm: Tensor) -> Tensor:
        """(B, N) pcm -> (B, F) int64 codes; the last frame is filled with silence."""
        if pcm.ndim != 2 or not pcm.is_floating_point():
            raise ValueError(
                f"expected float pcm of shape (batch, samples), got {pcm.dtype} {tuple(pcm.shape)}"
            )
        return self.encoder.codes_of(self.encoder.whole(pcm))

    @torch.inference_mode()
    def decode(self, codes: Tensor, voice: Voice = DEFAULT_VOICE) -> Tensor:
        """(B, F) int codes -> (B, F * frame_size) pcm in one voice. ValueError for a code outside the
        codebook, UserError for a voice that is unknown or of another size."""
        style = self.voice(voice)[None].expand(codes.shape[0], -1)
        return self.decoder(self.quantizer.from_codes(codes), style)[0]

    @property
    def speakers(self) -> list[str]:
        """Presets that were taught, the usual one first; all where none was."""
        taught = [name for name, style in zip(PRESETS, self.presets) if style.any()] or list(PRESETS)
        return sorted(taught, key=lambda name: name != DEFAULT_VOICE)

    def voice(self, voice: Voice) -> Tensor:
        """(S,) the style of a preset, or the style itself. UserError as in `decode`."""
        if isinstance(voice, str):
            if voice not in PRESETS:
                raise UserError(f"unknown voice {voice!r}; choose from {', '.join(PRESETS)}")
            return self.presets[PRESETS.index(voice)]
        if tuple(voice.shape) != (self.config.style_size,):
            raise UserError(
                f"expected a voice of {self.config.style_size} numbers, got {tuple(voice.shape)}; "
                "read it with this codec again"
            )
        return voice

    @torch.inference_mode()
    def voice_of(self, pcm: Tensor) -> Tensor:
        """(N,) pcm of somebody who speaks alone -> (S,) the style. UserError for a recording that is too
        short or silent."""
        if len(pcm) < MIN_REFERENCE_S * self.sample_rate:
            raise UserError(
                f"expected at least {MIN_REFERENCE_S:g} s of a voice, got {len(pcm) / self.sample_rate:.1f} s"
            )
        if float(pcm.square().mean().sqrt()) < SILENCE:
            raise UserError("expected somebody who speaks, got a silent recording")
        padded = functional.pad(pcm, (0, -len(pcm) % self.frame_size))[None]
        logmel, _ = self.logmel(padded)
        return self.style(logmel, torch.ones(logmel.shape[:2], dtype=torch.bool))[0]

    def encoder_stream(self) -> "SpeechEncoderStream":
        """A fresh encoder for one signal that arrives in pieces."""
        return SpeechEncoderStream(self)

    def decoder_stream(self, voice: Voice = DEFAULT_VOICE) -> "SpeechDecoderStream":
        """A fresh decoder for one signal whose codes arrive in pieces."""
        return SpeechDecoderStream(self, voice)

    def save(self, folder: str | Path) -> None:
        """Writes config.json and model.safetensors (half precision) into `folder`."""
        save_codec(self, asdict(self.config), folder)

    @classmethod
    def load(cls, folder: str | Path) -> "SpeechCodec":
        """Reads what `save` wrote; UserError says what is missing or does not fit."""
        return load_codec(cls, SpeechCodecConfig, folder)


class SpeechEncoderStream(EncoderStream):
    """The stream of a SpeechCodec's encoder."""

    def __init__(self, codec: SpeechCodec) -> None:
        super().__init__(codec.frame_size, codec.config.lookahead)
        self.encoder = codec.encoder
        self.state: EncoderState | None = None

    def hidden(self, pcm: Tensor) -> Tensor:
        hidden, self.state = self.encoder.hidden(pcm, self.state)
        return hidden

    def codes_of(self, hidden: Tensor) -> Tensor:
        return self.encoder.codes_of(hidden)


class SpeechDecoderStream:
    """Decodes one signal piece by piece without any delay; equals `decode` of the whole."""

    def __init__(self, codec: SpeechCodec, voice: Voice = DEFAULT_VOICE) -> None:
        self.codec, self.style = codec, codec.voice(voice)[None]
        self.state: DecoderState | None = None

    @torch.inference_mode()
    def push(self, codes: Tensor) -> Tensor:
        """(F,) codes -> (F * frame_size,) pcm."""
        if not len(codes):
            return torch.zeros(0)
        pcm, self.state = self.codec.decoder(
            self.codec.quantizer.from_codes(codes[None]), self.style, self.state
        )
        return pcm[0]

    def flush(self) -> Tensor:
        """-> (0,): nothing is ever held back."""
        return torch.zeros(0)
