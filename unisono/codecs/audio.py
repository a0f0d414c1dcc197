"""Waveform <-> codes: one code per 20 ms of 16 kHz mono sound, causal, whole or streaming.

Encoder: two log-mel frames (10 ms apart) per code, a causal stack, finite scalar quantization. It waits
for `lookahead` frames (40 ms) before it commits to a code, which is all the delay there is: the decoder
turns each code into its 20 ms at once, through magnitudes and phases of two short inverse Fourier
transforms (an inverse-STFT head as in Vocos, Siuzdak 2023, arXiv 2306.00814).

Shapes: B batch, N samples, F code frames, C channels, D quantizer dimensions. pcm is float in [-1, 1].
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from unisono.codecs.causal import CausalStack, States
from unisono.codecs.quantize import FSQ
from unisono.codecs.storage import load_codec, save_codec
from unisono.codecs.stream import EncoderStream


@dataclass(frozen=True)
class AudioCodecConfig:
    """Everything that fixes the shape of an AudioCodec; the time grid itself is constant."""

    sample_rate: int = 16000
    frame_size: int = 320  # samples per code: 50 codes a second
    levels: tuple[int, ...] = (7, 5, 5, 5, 5)  # 4,375 codes, 605 bit/s
    num_mels: int = 80
    analysis_size: int = 512  # samples seen by one mel frame
    encoder_channels: int = 256
    encoder_dilations: tuple[int, ...] = (1, 1, 2, 4, 1)
    decoder_channels: int = 320
    decoder_dilations: tuple[int, ...] = (1, 2, 4, 8, 1, 2, 4)
    lookahead: int = 2  # frames the encoder waits: 40 ms

    def __post_init__(self) -> None:
        if self.sample_rate < 1 or self.frame_size < 2 or self.frame_size % 2:
            raise ValueError(
                f"expected a sample rate and an even frame_size above 0, got {self.sample_rate} and "
                f"{self.frame_size}"
            )


def mel_filters(num_mels: int, num_bins: int, sample_rate: int) -> Tensor:
    """(num_bins, num_mels) triangles, equally wide on the mel scale of O'Shaughnessy 1987, as in HTK (area
    not normalised).
    """

    def to_mel(hertz: Tensor) -> Tensor:
        return 2595 * torch.log10(1 + hertz / 700)

    edges_mel = torch.linspace(0, float(to_mel(torch.tensor(sample_rate / 2))), num_mels + 2)
    edges = 700 * (10 ** (edges_mel / 2595) - 1)
    bins = torch.linspace(0, sample_rate / 2, num_bins)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return torch.clamp(torch.minimum(rising, falling), min=0)


class Analysis(nn.Module):
    """Waveform -> features: log-mel frames every half code frame, two of them side by side."""

    window: Tensor
    filters: Tensor

    def __init__(self, config: AudioCodecConfig) -> None:
        super().__init__()
        self.hop, self.size = config.frame_size // 2, config.analysis_size
        self.register_buffer("window", torch.hann_window(self.size), persistent=False)
        filters = mel_filters(config.num_mels, self.size // 2 + 1, config.sample_rate)
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, pcm: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, N), N whole frames; state = the last samples before them -> (B, F, 2 * num_mels), next
        state.
        """
        num_past = self.size - self.hop
        if state is None:
            state = pcm.new_zeros(pcm.shape[0], num_past)
        padded = torch.cat([state, pcm], dim=1)
        pieces = padded.unfold(1, self.size, self.hop) * self.window
        power = torch.fft.rfft(pieces).abs().square()
        logmel = torch.log10(power @ self.filters + 1e-4) * 0.5
        return logmel.unflatten(1, (-1, 2)).flatten(2), padded[:, padded.shape[1] - num_past :]


class Synthesis(nn.Module):
    """Decoder states -> waveform: per code two spectra of 40 ms, windowed and overlap-added every 10 ms."""

    window: Tensor

    def __init__(self, config: AudioCodecConfig) -> None:
        super().__init__()
        self.hop = config.frame_size // 2
        self.size = 4 * self.hop
        self.num_bins = self.size // 2 + 1
        self.head = nn.Linear(config.decoder_channels, 2 * 2 * self.num_bins)
        self.register_buffer("window", torch.hann_window(self.size), persistent=False)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, F, C), state (B, 3, 4, hop) of the three last windows | None -> (B, F * frame_size) pcm, next
        state.
        """
        spectra = self.head(x).float().unflatten(2, (2, 2, self.num_bins)).flatten(1, 2)
        magnitude, phase = torch.exp(spectra[:, :, 0].clamp(max=6.0)), spectra[:, :, 1]
        pieces = torch.fft.irfft(torch.polar(magnitude, phase), n=self.size) * self.window
        quarters = pieces.unflatten(2, (4, self.hop))
        if state is None:
            state = quarters.new_zeros(x.shape[0], 3, 4, self.hop)
        quarters = torch.cat([state, quarters], dim=1)
        n = quarters.shape[1] - 3
        first, second, third, fourth = (quarters[:, 3 - j : 3 - j + n, j] for j in range(4))
        pcm = (first + second + third + fourth) / 2
        return pcm.flatten(1), quarters[:, n:]


class AudioCodec(nn.Module):
    """The contract of every codec: encode, decode, streams of both, and its physical numbers."""

    def __init__(self, config: AudioCodecConfig = AudioCodecConfig()) -> None:
        super().__init__()
        self.config = config
        self.quantizer = FSQ(config.levels)
        self.analysis = Analysis(config)
        self.encoder = CausalStack(2 * config.num_mels, config.encoder_channels, config.encoder_dilations)
        self.to_latent = nn.Linear(config.encoder_channels, len(config.levels))
        self.decoder = CausalStack(len(config.levels), config.decoder_channels, config.decoder_dilations)
        self.synthesis = Synthesis(config)
        self.sample_rate, self.frame_size = config.sample_rate, config.frame_size
        self.frame_rate = config.sample_rate / config.frame_size
        self.codebook_size, self.num_codebooks = self.quantizer.codebook_size, 1

    def latent(self, pcm: Tensor) -> Tensor:
        """(B, N) pcm -> (B, F, D) before quantization, F = ceil(N / frame_size); differentiable."""
        num_frames = -(-pcm.shape[1] // self.frame_size)
        wait = self.config.lookahead
        target = (num_frames + wait) * self.frame_size
        features, _ = self.analysis(functional.pad(pcm, (0, target - pcm.shape[1])))
        hidden, _ = self.encoder(features)
        return self.to_latent(hidden[:, wait:])

    @torch.inference_mode()
    def encode(self, pcm: Tensor) -> Tensor:
        """(B, N) pcm in [-1, 1] at `sample_rate` -> (B, F) int64 codes; the last frame is filled with
        silence.
        """
        if pcm.ndim != 2 or not pcm.is_floating_point():
            raise ValueError(
                f"expected float pcm of shape (batch, samples), got {pcm.dtype} {tuple(pcm.shape)}"
            )
        return self.quantizer(self.latent(pcm))[1]

    @torch.inference_mode()
    def decode(self, codes: Tensor) -> Tensor:
        """(B, F) int codes -> (B, F * frame_size) pcm. ValueError for a code outside the codebook."""
        return self.synthesize(self.quantizer.from_codes(codes))

    def synthesize(self, quantized: Tensor) -> Tensor:
        """(B, F, D) quantized latents -> (B, F * frame_size) pcm; differentiable."""
        hidden, _ = self.decoder(quantized)
        return self.synthesis(hidden)[0]

    def encoder_stream(self) -> "AudioEncoderStream":
        """A fresh encoder for one signal that arrives in pieces."""
        return AudioEncoderStream(self)

    def decoder_stream(self) -> "DecoderStream":
        """A fresh decoder for one signal whose codes arrive in pieces."""
        return DecoderStream(self)

    def save(self, folder: str | Path) -> None:
        """Writes config.json and model.safetensors (half precision) into `folder`."""
        save_codec(self, asdict(self.config), folder)

    @classmethod
    def load(cls, folder: str | Path) -> "AudioCodec":
        """Reads what `save` wrote; UserError says what is missing or does not fit."""
        return load_codec(cls, AudioCodecConfig, folder)


class AudioEncoderStream(EncoderStream):
    """The stream of an AudioCodec's encoder."""

    def __init__(self, codec: AudioCodec) -> None:
        super().__init__(codec.frame_size, codec.config.lookahead)
        self.codec = codec
        self.analysis_state: Tensor | None = None
        self.states: States | None = None

    def hidden(self, pcm: Tensor) -> Tensor:
        features, self.analysis_state = self.codec.analysis(pcm, self.analysis_state)
        hidden, self.states = self.codec.encoder(features, self.states)
        return hidden

    def codes_of(self, hidden: Tensor) -> Tensor:
        codes: Tensor = self.codec.quantizer(self.codec.to_latent(hidden))[1]
        return codes


class DecoderStream:
    """Decodes one signal piece by piece without any delay; equals `decode` of the whole."""

    def __init__(self, codec: AudioCodec) -> None:
        self.codec = codec
        self.states: States | None = None
        self.synthesis_state: Tensor | None = None

    @torch.inference_mode()
    def push(self, codes: Tensor) -> Tensor:
        """(F,) codes -> (F * frame_size,) pcm."""
        if not len(codes):
            return torch.zeros(0)
        hidden, self.states = self.codec.decoder(self.codec.quantizer.from_codes(codes[None]), self.states)
        pcm, self.synthesis_state = self.codec.synthesis(hidden, self.synthesis_state)
        return pcm[0]

    def flush(self) -> Tensor:
        """-> (0,): nothing is ever held back."""
        return torch.zeros(0)
