"""What a network loses when its weights are written in fewer bits: nats on held-out documents of the token
shards, in each type of `unisono export gguf`, beside the weights as they are.

Computing stays float32, so that it is the weights alone that differ.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unisono.assess.options import BenchOptions
from unisono.assess.speed.timing import Measured
from unisono.core.errors import UserError
from unisono.core.progress import track
from unisono.core.record import mean_stderr, weights_of
from unisono.data.shards.shard import Shard
from unisono.export import as_written
from unisono.model.hf import PREFIX, load_pretrained, read_tensors
from unisono.model.transformer import IGNORE, Qwen3
from unisono.train.network import in_units

STORED = "stored"  # the weights as they lie in the folder
KINDS = ("q8_0", "q4_0", "mxfp4_mlp", "mxfp4")
LONGEST = 1024  # ids of a document that is read


def bench_formats(options: BenchOptions) -> Measured:
    """Up to `samples` documents of each task are read in every type. UserError where --home holds no shards
    that were made with this network's tokenizer and codecs.
    """
    folder = options.network
    shard = held_out(folder, options.home)
    texts = list(documents(shard, options.samples))
    model = load_pretrained(folder, vocab_size=shard.manifest["vocab_size"])
    stored = {name.removeprefix(PREFIX): value for name, value in read_tensors(folder).items()}
    numbers: dict[str, dict[str, Any]] = {}
    usual: list[float] = []
    for kind in (STORED, *KINDS):
        size = written(model, stored, kind)
        found = [losses_of(model, *text) for text in track(texts, kind)]
        means = [float(losses.mean()) for losses, _ in found]
        usual = usual or means
        nats, labels = map(torch.cat, zip(*found))
        numbers[kind] = {
            "bytes": size,
            "bits_per_weight": 8 * size / sum(value.numel() for value in stored.values()),
            "nats_per_id": mean_stderr(means),
            "above_stored": mean_stderr([mean - before for mean, before in zip(means, usual)]),
            **in_units(nats, labels, shard.manifest.get("units", {})),
        }
    measured = Measured({"formats": numbers}, {"samples": options.samples, "documents": len(texts)})
    for kind, one in numbers.items():
        told = f"{one['nats_per_id']['mean']:.4f} nats an id, {one['bits_per_weight']:.2f} bits a weight"
        measured.row(f"{kind}: above the stored weights", one["above_stored"]["mean"], "nats an id", told)
    return measured


def held_out(folder: Path, home: Path) -> Shard:
    """The validation of the shards whose ids mean what this network's ids mean. UserError for none."""
    own = weights_of(folder)
    for place in sorted((home / "shards").glob("*/made-with")):
        codecs = weights_of(place)
        is_same = all(own.get(name) == digest for name, digest in codecs.items() if "/" in name)
        texts = ("tokenizer.json", "vocabulary.json")
        if is_same and all((place / name).read_bytes() == (folder / name).read_bytes() for name in texts):
            return Shard(place.parent / "val")
    raise UserError(
        f"no shards in {home / 'shards'} were made with the tokenizer and codecs of {folder}; run "
        f"`unisono data network --start {folder}`"
    )


def documents(shard: Shard, samples: int) -> Iterator[tuple[Tensor, Tensor]]:
    """(T,) ids and (T,) labels of the first documents of each task that are not too long."""
    lengths = shard.ends - shard.starts
    for task in range(len(shard.task_names)):
        for number in np.flatnonzero((shard.tasks == task) & (lengths <= LONGEST))[:samples].tolist():
            ids, learn = map(torch.from_numpy, shard.document(number))
            if learn[1:].any():
                yield ids[:-1], torch.where(learn[1:] == 1, ids[1:], IGNORE)


@torch.no_grad()
def written(model: Qwen3, stored: dict[str, Tensor], kind: str) -> int:
    """Gives the model its weights as a file of this kind holds them -> bytes of that file's tensors."""
    total = 0
    for name, parameter in model.named_parameters():
        if kind == STORED:
            parameter.copy_(stored[name])
            total += stored[name].nbytes
        else:
            values, size = as_written(name, stored[name].float().numpy(), kind)
            parameter.copy_(torch.from_numpy(values))
            total += size
    return total


@torch.inference_mode()
def losses_of(model: Qwen3, ids: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """(T,) ids and labels -> (L,) nats and labels of what is learned."""
    chosen = labels != IGNORE
    return model.loss_per_id(ids[None], labels[None])[0, chosen], labels[chosen]
