"""What a network begins with that was another LLM before: the LLM's weights and tokenizer, and rows for our
ids behind them.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

from torch import Tensor, nn

from unisono.base.base import Base
from unisono.codecs.image import ImageCodec
from unisono.codecs.load import load_audio_codec
from unisono.codecs.storage import made_by
from unisono.core.errors import UserError
from unisono.core.home import atomic_write
from unisono.core.record import PHONEMES, weights_of
from unisono.model.grow import grow_vocabulary
from unisono.model.hf import load_pretrained, save_pretrained
from unisono.tokenizer import OmniTokenizer
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


def begun_network(source: str, codecs: Path, home: Path) -> Path:
    """-> the folder of a whole network that is the LLM in `source` before its first step: it hears and sees
    with the codecs of the finished network in `codecs`, and is made once under home/starts. UserError as
    `Base.load` and `begun`.
    """
    base = Base.load(source, home)
    facts = [base.name, weights_of(base.folder), weights_of(codecs)]
    folder = home / "starts" / hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    if not (folder / "whole").exists():
        known = OmniTokenizer.load(codecs)
        audio, image = known.audio_codec, known.image_codec
        vocab = base.vocabulary(audio.codebook_size, image.codebook_size)
        OmniTokenizer(vocab, base.text, audio, image, [], base.turns(vocab)).save(folder)
        base.save(folder, vocab)
        reader = codecs / "audio_codec" / PHONEMES
        if reader.is_file():
            shutil.copyfile(reader, folder / "audio_codec" / PHONEMES)
        begun(base, folder, folder, str(codecs))
        atomic_write(folder / "whole", lambda part: part.touch())
    return folder


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
