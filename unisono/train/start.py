"""The weights with which a network begins that was another LLM before: its own, and rows for our ids behind
them.
"""

from collections.abc import Callable
from pathlib import Path

from torch import Tensor, nn

from unisono.base.base import Base
from unisono.codecs.image import ImageCodec
from unisono.codecs.load import load_audio_codec
from unisono.codecs.storage import made_by
from unisono.core.errors import UserError
from unisono.model.grow import grow_vocabulary
from unisono.model.hf import load_pretrained, save_pretrained
from unisono.tokens.vocab import Vocabulary

CODECS: dict[str, Callable[[Path], nn.Module]] = {"audio": load_audio_codec, "image": ImageCodec.load}


def begun(base: Base, made_with: Path, folder: Path, codes_of: str = "") -> Path:
    """Writes the start into `folder`.

    `made_with`: the tokenizer and codecs that the data was made with; `codes_of`: a network.

    Codes that sounded or looked alike to that network are alike here from the beginning, if its codecs are
    the same. UserError where the data was made for another base.
    """
    vocab = Vocabulary.load(made_with / "vocabulary.json")
    audio, image = vocab.span("audio"), vocab.span("image")
    if vocab != base.vocabulary(audio.size, image.size):
        raise UserError(
            f"the data in {made_with.parent} was not made for the base in {base.folder}; run `unisono "
            f"data network` with the same --init"
        )
    like = (
        {vocab.span(kind).start: rows for kind, rows in _rows(made_with, codes_of).items()}
        if codes_of
        else {}
    )
    model = grow_vocabulary(load_pretrained(base.folder), vocab.size, kept=vocab.text_size, like=like)
    return save_pretrained(model, folder)


def _rows(made_with: Path, codes_of: str) -> dict[str, Tensor]:
    """The rows of a network's codes, by kind; only those of codecs that are the same."""
    folder, found = Path(codes_of), {}
    known, table = (
        Vocabulary.load(folder / "vocabulary.json"),
        load_pretrained(folder).embed_tokens.weight.detach(),
    )
    for kind, load in CODECS.items():
        theirs, ours = (_codes_of(load(place / f"{kind}_codec")) for place in (folder, made_with))
        if theirs == ours:
            span = known.span(kind)
            found[kind] = table[span.start : span.end]
    if not found:
        raise UserError(
            f"{folder} hears and sees through other codecs, so its codes say nothing of these; leave "
            f"codes_of empty"
        )
    return found


def _codes_of(codec: nn.Module) -> str:
    """A name for the weights that decide which codes a codec gives: those of its encoder."""
    parts = tuple(name for name in ("encoder", "to_latent") if hasattr(codec, name))
    return made_by(codec, parts)
