"""Transfers a network to other codecs: embeddings of the old codes become the start of those of the new
codes.

Both codecs encode the same sound and pictures, frame by frame. The embedding of a new code is the mean of the
old embeddings, weighted by how often the old codec gave each old code where the new codec gives the new code.
A codec that was trained further gives nearly the same codes, so the transferred network begins near the old
one.

Shapes: B pictures, S pixels a side, N samples of sound, K codes of a codec.
"""

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from unisono.codecs.audio import AudioCodec
from unisono.codecs.image import ImageCodec
from unisono.codecs.load import AnyAudioCodec, load_audio_codec
from unisono.core.errors import UserError
from unisono.core.progress import track
from unisono.data.speech.waves import Waves, sound_folders
from unisono.data.world.pictures import resolution
from unisono.data.world.samples import draw_sample
from unisono.model.hf import load_pretrained, save_pretrained
from unisono.model.transformer import Qwen3
from unisono.tokens.vocab import Vocabulary

BATCH = 64
KINDS = ("scene", "emoji", "word", "motion")
NUM_PICTURES = 10_000  # of 64 codes each
SOUND_S = 3600.0  # of 50 codes a second
TABLES = ("embed_tokens.weight", "lm_head.weight")  # the second one is absent where both are one

Codec = AnyAudioCodec | ImageCodec


def transferred(start: Path, wanted: Path, home: Path, folder: Path) -> Path:
    """-> the folder of a network for the codecs in `wanted`: `start` itself where it has the same encoders,
    else `folder`, which is written anew. The audio codes are compared on the speech under `home`. UserError
    where the tokenizers differ.
    """
    if not all((each / f"{kind}_codec").exists() for each in (start, wanted) for kind in ("audio", "image")):
        return start
    for name in ("vocabulary.json", "tokenizer.json"):
        if (start / name).read_bytes() != (wanted / name).read_bytes():
            raise UserError(
                f"{name} in {start} is not the one that the shards were made with ({wanted}), so equal "
                "ids mean other things; "
                "start from a network of the same tokenizer, or from nothing"
            )
    hears, shall_hear = (load_audio_codec(each / "audio_codec") for each in (start, wanted))
    if type(hears) is not type(shall_hear) or hears.frame_rate != shall_hear.frame_rate:
        raise UserError(
            f"the network in {start} hears {hears.frame_rate:g} codes a second, the shards were made with a "
            f"codec of {shall_hear.frame_rate:g}; train the network from the beginning"
        )
    sees, shall_see = (ImageCodec.load(each / "image_codec") for each in (start, wanted))
    other = {}
    if not _hear_alike(hears, shall_hear):
        other["audio"] = said_for(hears, shall_hear, sounds(home, hears.sample_rate))
    if not _same(sees.encoder, shall_see.encoder):
        other["image"] = said_for(sees, shall_see, pictures(sees.image_size))
    if not other:
        return start
    model, vocab = load_pretrained(start), Vocabulary.load(start / "vocabulary.json")
    for kind, shares in other.items():
        transfer_codebook(model, vocab.span(kind).start, shares)
    return save_pretrained(model, folder)


def _hear_alike(one: AnyAudioCodec, other: AnyAudioCodec) -> bool:
    """Whether equal sound has equal codes; the codecs are of one kind."""
    if (
        isinstance(one, AudioCodec)
        and isinstance(other, AudioCodec)
        and not _same(one.to_latent, other.to_latent)
    ):
        return False
    return _same(one.encoder, other.encoder)


def _same(one: nn.Module, other: nn.Module) -> bool:
    """Whether the weights are equal."""
    weights, others = one.state_dict(), other.state_dict()
    return weights.keys() == others.keys() and all(
        torch.equal(value, others[name]) for name, value in weights.items()
    )


def pictures(size: int) -> Iterator[Tensor]:
    """Yields batches of drawn pictures, (B, 3, S, S) in [0, 1], of the kinds that a network is trained on."""
    rng = random.Random("recode")
    with resolution(size):
        for _ in track(range(NUM_PICTURES // BATCH), "pictures: the old codec's codes and the new one's"):
            drawn = np.stack([draw_sample(rng.choice(KINDS), rng, np.zeros(0)) for _ in range(BATCH)])
            yield torch.from_numpy(drawn).permute(0, 3, 1, 2).float() / 255


def sounds(home: Path, sample_rate: int) -> Iterator[Tensor]:
    """Yields (1, N) pcm of each training item in a random order, until SOUND_S seconds are reached."""
    waves = Waves(sound_folders(home), "train")
    numbers = np.random.default_rng(0).permutation(len(waves))
    lengths = np.cumsum([waves.items[number]["length"] for number in numbers])
    enough = int(np.searchsorted(lengths, SOUND_S * sample_rate)) + 1
    for number in track(numbers[:enough], "sound: the old codec's codes and the new one's"):
        yield torch.from_numpy(waves.pcm(number))[None]


@torch.no_grad()
def transfer_codebook(model: Qwen3, first_id: int, shares: Tensor) -> None:
    """Replaces the embeddings of the codes from `first_id` on: shares (K, K) of `said_for` times the old
    rows. A code that never occurred keeps its row.
    """
    occurs = shares.sum(dim=1) > 0
    for name, rows in model.named_parameters():
        if name in TABLES:
            old = rows[first_id : first_id + len(shares)]
            rows[first_id : first_id + len(shares)] = torch.where(occurs[:, None], shares.to(rows) @ old, old)


def said_for(before: Codec, now: Codec, heard_or_seen: Iterable[Tensor]) -> Tensor:
    """Batches that both codecs encode -> (K, K) shares: entry [n, o] is the share of the frames with the new
    code n in which the old codec gave o. UserError where the codecs differ in size or in the number of codes.
    """
    if before.codebook_size != now.codebook_size:
        raise UserError(
            f"a codec of {now.codebook_size} codes cannot take over from one of "
            f"{before.codebook_size}; train the network from the beginning"
        )
    counts = torch.zeros(now.codebook_size, before.codebook_size)
    for batch in heard_or_seen:
        places = now.encode(batch).flatten(), before.encode(batch).flatten()
        if len(places[0]) != len(places[1]):
            raise UserError(
                f"one of the codecs says {len(places[0])} codes where the other says {len(places[1])}; "
                f"train the network from the beginning"
            )
        counts.index_put_(places, torch.ones(len(places[0])), accumulate=True)
    return counts / counts.sum(dim=1, keepdim=True).clamp(min=1)
