"""Quantized frames -> phonemes, a small CTC reader.

The audio codec is trained together with this reader, so that its codes become phonetic. Afterwards the reader
finds where the words of a recording begin (forced alignment).

Shapes: B batch, F frames, D quantizer dimensions, P phonemes.
"""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from unisono.core.errors import UserError
from unisono.core.home import atomic_write

BLANK = 0
# Symbols of espeak-ng's IPA for English, without stress, length and spaces.
PHONES = "ɪtndsɹəlimæʌðʊzkɛawhpbfovɚeɔɐɑuʃŋɡɜjᵻɾθʒ"
NUMBERS = {symbol: number for number, symbol in enumerate(PHONES, start=BLANK + 1)}


class PhonemeReader(nn.Module):
    """Quantized frames -> phoneme log-probabilities, from a neighbourhood of 13 frames (260 ms) only."""

    def __init__(self, num_dims: int, channels: int = 160) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(num_dims, channels, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(channels, channels, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(channels, channels, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(channels, len(PHONES) + 1, 1),
        )

    def forward(self, quantized: Tensor) -> Tensor:
        """(B, F, D) quantized frames -> (B, F, P + 1) log-probabilities, the blank first."""
        return self.layers(quantized.transpose(1, 2)).transpose(1, 2).float().log_softmax(-1)

    def save(self, path: Path) -> None:
        """Writes one safetensors file, in half precision."""
        atomic_write(
            path,
            lambda part: save_file({name: value.half() for name, value in self.state_dict().items()}, part),
        )

    @classmethod
    def load(cls, path: Path) -> "PhonemeReader":
        """Reads what `save` wrote. UserError where it is missing or damaged."""
        try:
            weights = load_file(path)
            reader = cls(weights["layers.0.weight"].shape[1])
            reader.load_state_dict(weights)
        except FileNotFoundError:
            raise UserError(
                f"no phoneme reader at {path}; `unisono train audio-codec` writes it beside the codec"
            ) from None
        except (SafetensorError, KeyError, RuntimeError):
            raise UserError(f"{path} is not a phoneme reader; train the audio codec again") from None
        return reader.eval()
