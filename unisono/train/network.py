"""Trains the network: next-id prediction over packed documents of every modality.

Only positions that are learned reach the softmax, which at this size is a third of the cost of a step.

Shapes: B rows, T ids per row, L learned positions.
"""

import copy
from dataclasses import dataclass, field, replace
from math import log
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from unisono.core.device import pick_device
from unisono.core.distributed import Group
from unisono.core.errors import UserError
from unisono.data.shards.loader import PAD, Loader, LoaderConfig
from unisono.data.shards.shard import Shard
from unisono.model.config import preset
from unisono.model.grow import grow_depth, untied
from unisono.model.hf import OWN_FIELDS, load_pretrained, save_pretrained
from unisono.model.sparse_attention import pattern_of
from unisono.model.transformer import Block, Qwen3, packed_mask
from unisono.train.flexpoint import NAME as EMULATION, Emulation
from unisono.train.loop import LoopConfig, Loss, Numbers, Parts
from unisono.train.lora import load_adapter, merged, save_adapter
from unisono.train.mup import initialize, width_ratio
from unisono.train.precision import check_precision, in_precision, is_emulated
from unisono.train.prompt import prompt_of
from unisono.train.routing import Routing, routed_shape
from unisono.train.sharding import recomputed, sharded
from unisono.train.trainable import ROWS_STAY, RowRates, arranged, plain


@dataclass(frozen=True)
class NetworkRecipe:
    """Defaults of the nano network."""

    size: str = "nano"
    shape: dict[str, float] = field(default_factory=dict)  # fields of the size's shape that are others
    router: str = "topk"  # or sinkhorn, hash, rl: of a shape with experts; see train/routing.py
    mup: int = 0  # hidden_size at which the learning rate was found, 0: no matter; see train/mup.py
    attention: str = "full"  # or sliding, strided, fixed; see model/sparse_attention.py
    attention_window: int = 128  # ids of the window of the sparse ones, their stride too
    precision: str = "bf16"  # or float32, fp8, flexpoint16, fixed16; see train/precision.py
    attention_sinks: bool = False  # heads may attend to nothing, as in gpt-oss
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            num_steps=12000,
            learning_rate=2e-3,
            warmup_steps=100,
            weight_decay=0.1,
            beta2=0.95,
            validate_every=500,
            muon=True,
        )
    )
    loader: LoaderConfig = field(default_factory=LoaderConfig)
    # Shares of the ids, however much there is of each: a seventh each for scenes, talking and speaking, a
    # sixth for hearing, a ninth for print, a twelfth for drawing, a sixteenth for clips, a twentieth for
    # notes of scenes and for plain texts, a fiftieth each for emoji seen and drawn.
    task_shares: dict[str, float] = field(
        default_factory=lambda: {
            "see": 0.14,
            "recall": 0.05,
            "see_emoji": 0.02,
            "read": 0.085,
            "letters": 0.025,
            "watch": 0.06,
            "draw": 0.085,
            "draw_emoji": 0.02,
            "talk": 0.14,
            "speak": 0.10,
            "speak_open": 0.05,
            "hear": 0.09,
            "hear_words": 0.085,
            "hear_sounds": 0.005,
            "stories": 0.02,
            "dialogues": 0.012,
            "sentences": 0.005,
            "books": 0.008,
        }
    )
    tasks: tuple[str, ...] = ()  # train on these alone; empty = on all
    text_weight: float = 3.0  # of a word beside a code: codes carry most of the nats, words most of the sense
    start_from: str = ""  # folder of a network whose weights are the start
    num_hidden_layers: int = 0  # of the network, if more than the size or the start has
    trainable: str = "all"  # or lora, layers, prompt, head: which weights move; see train/trainable.py
    lora_rank: int = 32
    prompt_length: int = 20  # vectors
    adapter: str = ""  # folder of a LoRA adapter, as peft writes it, that is added to the start
    new_rows_rate: float = 1.0  # of the rows behind those of a base, beside everything else
    # Folder of a network with the same codecs: the rows of its codes give the new rows their directions.
    codes_of: str = ""
    # Share of the start's weights in the finished ones: what the start knew and was not trained on again is
    # not lost (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", arXiv 2109.01903).
    start_share: float = 0.0
    validation_batches: int = 4  # of each task
    compile: bool = True
    recompute: bool = False  # layers keep only their inputs for the way back: less memory, a third more work


# A picture of 128 pixels is 256 codes: longer rows, and pictures weigh more. Sized for 8 minutes a piece on
# one GPU.
RECIPES = {
    "small": NetworkRecipe(
        size="small",
        loader=LoaderConfig(batch_size=32, row_length=1536),
        loop=LoopConfig(
            num_steps=4000,
            learning_rate=1e-3,
            warmup_steps=200,
            weight_decay=0.1,
            beta2=0.95,
            validate_every=500,
            muon=True,
        ),
    )
}

# Of a network that begins from an LLM: less of the small world, more of open speech, its own words and calls.
BASE_SHARES = {
    "see": 0.10,
    "recall": 0.03,
    "see_emoji": 0.01,
    "read": 0.05,
    "letters": 0.02,
    "watch": 0.04,
    "draw": 0.06,
    "draw_emoji": 0.01,
    "talk": 0.04,
    "speak": 0.08,
    "speak_open": 0.12,
    "hear": 0.12,
    "hear_words": 0.05,
    "hear_sounds": 0.005,
    "stories": 0.02,
    "dialogues": 0.012,
    "sentences": 0.005,
    "books": 0.008,
    "words": 0.08,
    "calls": 0.06,
    "forms": 0.03,
    "see_named": 0.06,
    "draw_named": 0.03,
}

# An LLM from elsewhere as the start (--init). All weights of SmolLM2 at 6e-4, in batches of 8 x 512, and
# the new rows at three times that:
# 5.1 nats a code after 474 steps of hearing and speaking sentences.
FROM_BASE = NetworkRecipe(
    size="small",
    task_shares=BASE_SHARES,
    new_rows_rate=3.0,
    loop=LoopConfig(
        num_steps=20000,
        learning_rate=6e-4,
        warmup_steps=200,
        weight_decay=0.1,
        beta2=0.95,
        validate_every=500,
    ),
)


def in_units(losses: Tensor, labels: Tensor, units: dict[str, Any]) -> Numbers:
    """(L,) nats, (L,) labels -> bits per unit of each modality that occurs; `units` as data/prepare.py
    describes them.
    """
    numbers = {}
    for name, (start, end, unit, amount) in units.items():
        chosen = (labels >= start) & (labels < end)
        ids = labels[chosen].cpu() - start
        total = (
            float(torch.tensor(amount, dtype=torch.float64)[ids].sum())
            if isinstance(amount, list)
            else amount * len(ids)
        )
        if total:
            numbers[f"{name}_bits_per_{unit}"] = losses[chosen].double().sum().item() / log(2) / total
    return numbers


class NetworkProgram:
    """A Program for train.loop: token shards in, a Hugging Face folder out."""

    origin = ""  # a start is only transferred for the first step, so it may be another one later

    def __init__(self, recipe: NetworkRecipe, train: Shard, val: Shard) -> None:
        self.recipe = recipe
        usual = set(NetworkRecipe().task_shares) | set(BASE_SHARES)
        unknown = (set(recipe.tasks) | set(recipe.task_shares) - usual) - set(train.task_names)
        if unknown:
            raise UserError(
                f"no task {min(unknown)!r} in the shards; choose from {', '.join(train.task_names)}"
            )
        check_precision(recipe.precision, recipe.recompute)
        left_out = {task: 0.0 for task in train.task_names if recipe.tasks and task not in recipe.tasks}
        self.val, self.width_ratio = val, 1.0
        vocab_size, self.text_end = train.manifest["vocab_size"], train.manifest["text_end"]
        prompt = prompt_of(train, recipe.prompt_length, recipe.loop.seed) if self.has_prompt else {}
        self.prompt = list(prompt)  # its ids
        self.model = arranged(
            self._start(vocab_size),
            recipe.trainable,
            num_hidden_layers=recipe.num_hidden_layers,
            lora_rank=recipe.lora_rank,
            prompt=prompt,
        )
        has_experts = self.model.config.num_experts is not None
        self.routing = Routing(self.model, recipe.router) if has_experts else None
        if recipe.recompute:
            recomputed(self.model, Block)
        is_whole = recipe.trainable == "all"
        self.row_rates = None
        has_rates = "base" in train.manifest or recipe.new_rows_rate != 1 or not is_whole
        if has_rates and recipe.trainable not in ROWS_STAY:
            self.row_rates = RowRates(train.text_size, float(is_whole), recipe.new_rows_rate)
        loader = replace(
            recipe.loader, reach=min(recipe.loader.reach, self.model.config.max_position_embeddings)
        )
        if self.has_prompt:  # a chained row is one conversation, and a prompt stands before the whole of it
            loader = replace(loader, chained_share=0.0)
        self.loader = Loader(train, loader, {**recipe.task_shares, **left_out}, self.prompt)
        device = pick_device(recipe.loop.device or None)
        self.precision = in_precision(self.model, recipe.precision, device)
        compiled = recipe.compile and not is_emulated(recipe.precision)  # what is emulated is no graph
        self.forward = torch.compile(self.model, dynamic=False) if compiled else self.model
        self.cross_entropy = (
            torch.compile(self._cross_entropy, dynamic=True) if compiled else self._cross_entropy
        )
        self.modules: dict[str, tuple[nn.Module, Loss]] = {"network": (self.model, self.loss)}

    @property
    def has_prompt(self) -> bool:
        """Whether every conversation begins with a prompt that is learned."""
        return self.recipe.trainable == "prompt"

    def _start(self, vocab_size: int) -> Qwen3:
        recipe = self.recipe
        if not recipe.start_from:
            shape = routed_shape(recipe.router, recipe.shape)
            sparse = {name: getattr(recipe, name) for name in OWN_FIELDS}
            model = Qwen3(preset(recipe.size, vocab_size, **shape, **sparse))
            if recipe.mup and model.config.num_experts:
                raise UserError("mup is not worked out for experts; leave one of the two out")
            if recipe.mup:
                self.width_ratio = width_ratio(model, recipe.mup)
                initialize(model, self.width_ratio)
            return model
        if recipe.mup or recipe.shape or recipe.attention != "full" or recipe.attention_sinks:
            raise UserError(
                "mup, shape and attention are for networks that begin from nothing; leave them out here"
            )
        model = load_pretrained(recipe.start_from, vocab_size=vocab_size)
        return merged(load_adapter(model, Path(recipe.adapter))) if recipe.adapter else model

    def batch(self, step: int) -> dict[str, Tensor]:
        """Packed rows; see data/loader.py."""
        return self.loader.batch(step)

    def shard(self, group: Group, device: torch.device) -> None:
        """Shares the weights among the processes, layer by layer; layers are compiled one by one."""
        if self.has_prompt:
            raise UserError("a prompt is too small to be shared among processes; leave out loop.shard")
        if self.recipe.compile:
            for layer in self.model.layers:
                layer.compile(dynamic=False)
            self.forward = self.model
        sharded(self.model, list(self.model.layers), group, device)

    def weight(self, batch: dict[str, Tensor]) -> float:
        """How much a part of a batch counts in its loss."""
        labels = batch["labels"]
        words = (labels != PAD) & (labels < self.text_end)
        others = (labels != PAD) & (labels >= self.text_end)
        return float(words.sum() * self.recipe.text_weight + others.sum())

    def loss(self, batch: dict[str, Tensor], step: int) -> tuple[Tensor, Parts]:
        """Weighted mean cross-entropy in nats over the learned positions."""
        if self.routing is not None:
            self.routing.watch()
        losses, labels = self._losses(batch)
        weights = torch.where(labels < self.text_end, self.recipe.text_weight, 1.0)
        loss = (losses * weights).sum() / weights.sum().clamp(min=1)  # a part may hold nothing to learn
        words = labels < self.text_end
        parts = {
            "loss": loss.detach(),
            "words": losses.detach()[words].mean(),
            "codes": losses.detach()[~words].mean(),
        }
        if self.routing is None:
            return loss, parts
        is_learned, is_real = batch["labels"].flatten() != PAD, batch["documents"].flatten() >= 0
        extra = self.routing.loss(losses, is_learned, is_real)
        return loss + extra, {**parts, "routing": extra.detach()}

    def after_step(self) -> None:
        """Where numbers are emulated, the weights are numbers of that kind again."""
        emulation = getattr(self.model, EMULATION, None)
        if isinstance(emulation, Emulation):
            emulation.keep_weights()

    def _losses(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """-> (L,) nats, (L,) labels of the learned positions."""
        mask = packed_mask(batch["documents"], pattern_of(self.model.config))
        places = (batch["labels"].flatten() != PAD).nonzero()[:, 0]
        labels = batch["labels"].flatten()[places]
        with self.precision():
            hidden = self.forward(batch["ids"], batch["positions"], mask)
            return self.cross_entropy(hidden.flatten(0, 1)[places], labels), labels

    def _cross_entropy(self, hidden: Tensor, labels: Tensor) -> Tensor:
        """(L, C) hidden states -> (L,) nats."""
        return functional.cross_entropy(self.model.logits(hidden).float(), labels, reduction="none")

    def validate(self) -> Numbers:
        """Nats per learned id, task by task, over some batches of each task of the validation shard; over all
        of them, bits per byte of text, per second of sound and per pixel."""
        numbers, found = {}, []
        device = next(self.model.parameters()).device
        longest = self.recipe.loader.row_length
        lengths = self.val.ends - self.val.starts + len(self.prompt)
        fitting = [
            name
            for n, name in enumerate(self.val.task_names)
            if (lengths[self.val.tasks == n] <= longest).any()
        ]
        for task in fitting:
            only = {name: float(name == task) for name in self.val.task_names}
            loader = Loader(
                self.val,
                LoaderConfig(
                    batch_size=self.recipe.loader.batch_size,
                    seed=0,
                    block_ids=20_000,
                    chained_share=0.0,
                    misread_share=0.0,
                    row_length=longest,
                ),
                only,
                self.prompt,
            )
            pairs = [
                self._losses({key: value.to(device) for key, value in loader.batch(step).items()})
                for step in range(self.recipe.validation_batches)
            ]
            numbers[task] = torch.cat([losses for losses, _ in pairs]).mean().item()
            found += pairs
        if not found:
            raise UserError(
                f"no document of the validation fits into a row of {longest} ids; raise loader.row_length"
            )
        losses, labels = map(torch.cat, zip(*found))
        return numbers | in_units(losses, labels, self.val.manifest.get("units", {}))

    def save(self, folder: Path) -> None:
        """Writes folder/network, a Hugging Face folder, and folder/adapter, for peft, where there is one."""
        finished, share = plain(self.model), self.recipe.start_share
        if self.recipe.start_from and share and not self.has_prompt:  # of which the start knows nothing
            finished = copy.deepcopy(finished)
            start = grow_depth(self._start(finished.config.vocab_size), finished.config.num_hidden_layers)
            start = untied(start) if finished.lm_head is not None else start
            before = start.to(next(finished.parameters()).device).state_dict()
            finished.load_state_dict(
                {
                    name: share * before[name] + (1 - share) * value if name in before else value
                    for name, value in finished.state_dict().items()
                }
            )
        save_pretrained(finished, folder / "network")
        if self.recipe.trainable == "lora":
            save_adapter(self.model, folder / "adapter", self.recipe.start_from)
