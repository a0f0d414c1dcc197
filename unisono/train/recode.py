"""Takes a network to another picture codec: what it knew of the old codes is its start with the new ones.

Both codecs look at the same pictures; where the new one says n, the old one said o in so many of the cases. The row of a new
code is the mean of the old rows, weighed so. A codec that was trained further says nearly the same in nearly the same places.

Shapes: B pictures, S pixels a side, K codes of a codec.
"""
import random
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from unisono.codecs.audio import AudioCodec
from unisono.codecs.image import ImageCodec
from unisono.core.errors import UserError
from unisono.core.progress import track
from unisono.data.pictures import resolution
from unisono.data.samples import draw_sample
from unisono.model.hf import load_pretrained, save_pretrained
from unisono.model.transformer import Qwen3
from unisono.tokens.vocab import Vocabulary

BATCH = 64
KINDS = ("scene", "emoji", "word", "motion")
NUM_PICTURES = 10_000      # of 64 codes each
TABLES = ("embed_tokens.weight", "lm_head.weight")      # the second one is absent where both are one


def recoded(start: Path, wanted: Path, folder: Path) -> Path:
    """The folder of a network that sees through the picture codec in `wanted`: `start` itself, or, where that sees through another one,
    `folder`, written anew."""
    if not all((each / "image_codec").exists() for each in (start, wanted)):
        return start
    for name in ("vocabulary.json", "tokenizer.json"):
        if (start / name).read_bytes() != (wanted / name).read_bytes():
            raise UserError(f"{name} in {start} is not the one that the shards were made with ({wanted}), so equal ids mean other things; "
                            "start from a network of the same tokenizer, or from nothing")
    hears, made = (AudioCodec.load(each / "audio_codec") for each in (start, wanted))
    if not (_same(hears.encoder, made.encoder) and _same(hears.to_latent, made.to_latent)):
        raise UserError(f"the network in {start} hears through another audio codec than the shards were made with ({wanted}); "
                        "make the codes of speech with its codec, or start from nothing")
    before, now = ImageCodec.load(start / "image_codec"), ImageCodec.load(wanted / "image_codec")
    if _same(before.encoder, now.encoder):
        return start
    rng = random.Random("recode")
    with resolution(now.image_size):
        drawn = [draw_sample(rng.choice(KINDS), rng, np.zeros(0)) for _ in track(range(NUM_PICTURES), "the old codec's codes and the new one's")]
    model = load_pretrained(start)
    recode(model, Vocabulary.load(start / "vocabulary.json").span("image").start, before, now,
           torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2))
    return save_pretrained(model, folder)


def _same(one: nn.Module, other: nn.Module) -> bool:
    """Whether the weights are equal."""
    weights, others = one.state_dict(), other.state_dict()
    return weights.keys() == others.keys() and all(torch.equal(value, others[name]) for name, value in weights.items())


@torch.no_grad()
def recode(model: Qwen3, first_id: int, before: ImageCodec, now: ImageCodec, pictures: Tensor) -> None:
    """Replaces the rows of the codes `first_id` ... of the model. pictures: (B, 3, S, S) uint8, of the kinds that it is shown. A code
    that occurs in none of them keeps its row."""
    shares = said_for(before, now, pictures)
    occurs = shares.sum(dim=1) > 0
    for name, rows in model.named_parameters():
        if name in TABLES:
            old = rows[first_id:first_id + len(shares)]
            rows[first_id:first_id + len(shares)] = torch.where(occurs[:, None], shares.to(rows) @ old, old)


def said_for(before: ImageCodec, now: ImageCodec, pictures: Tensor) -> Tensor:
    """(B, 3, S, S) uint8 -> (K, K): of the places where `now` says the row's code, the share where `before` said the column's."""
    if (before.codebook_size, before.image_size) != (now.codebook_size, now.image_size):
        raise UserError(f"a codec of {now.codebook_size} codes and {now.image_size} pixels cannot take over from one of "
                        f"{before.codebook_size} codes and {before.image_size} pixels; train the network from the beginning")
    counts = torch.zeros(now.codebook_size, before.codebook_size)
    for batch in pictures.split(BATCH):      # as floats all of them at once would take gigabytes
        pixels = batch.float() / 255
        places = now.encode(pixels).flatten(), before.encode(pixels).flatten()
        counts.index_put_(places, torch.ones(len(places[0])), accumulate=True)
    return counts / counts.sum(dim=1, keepdim=True).clamp(min=1)
