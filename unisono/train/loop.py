"""The only training loop. Codecs and network hand it a Program: modules, batches, losses.

A batch is a pure function of (seed, step), so a resumed run sees the data that an uninterrupted one would
have seen, and no data position has to be stored. For the same reason several processes (torchrun) and
accumulated gradients learn what one process learns from the whole batch: each takes its rows, and losses
count by the weight of their rows.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from rich.console import Console
from torch import Tensor, nn

from unisono.core.device import autocast, pick_device, seed_all
from unisono.core.distributed import Group, any_of, joined, own_device, rows_of, sum_over
from unisono.core.errors import UserError
from unisono.core.progress import progress
from unisono.train.checkpoint import NAME, load_checkpoint, save_checkpoint
from unisono.train.optim import Optimizers
from unisono.train.schedule import warmup_cosine
from unisono.train.sharding import is_sharded, put_together, shared_like, whole

Numbers = dict[str, float]
Parts = dict[str, Tensor]  # what a loss is made of: detached scalars, for the log
Loss = Callable[[Any, int], tuple[Tensor, Parts]]


@dataclass(frozen=True)
class LoopConfig:
    """How long and how fast; what is learned is the program's business."""

    num_steps: int = 1000
    learning_rate: float = 1e-3
    warmup_steps: int = 50
    floor: float = 0.05  # last learning rate as a share of the first
    weight_decay: float = 0.05
    beta1: float = 0.9
    beta2: float = 0.98
    max_grad_norm: float = 1.0
    seed: int = 1
    checkpoint_every_s: float = 150.0
    validate_every: int = 250
    time_limit_s: float = 0.0  # stop cleanly after this long and resume later; 0 = no limit
    muon: bool = False  # matrices by Muon, the rest by AdamW
    bf16: bool = True  # where the device has instructions for it
    device: str = ""  # empty = the best there is
    accumulate: int = 1  # parts of a batch whose gradients are added up before a step
    shard: bool = False  # with torchrun: each process keeps only its share of the weights; the network alone

    def __post_init__(self) -> None:
        for name, least in (("num_steps", 1), ("validate_every", 1), ("seed", 0), ("accumulate", 1)):
            if getattr(self, name) < least:
                raise UserError(f"loop.{name} must be at least {least}, got {getattr(self, name)}")


class Program(Protocol):
    """What is trained: one module, or several that are updated one after the other on the same batch, such as
    the discriminators and the decoder of a codec.
    """

    # Names the weights that the first step began from, where a run that began from others must not go on.
    origin: str

    @property
    def modules(self) -> Mapping[str, tuple[nn.Module, Loss]]:
        """Name -> (module, its loss), in the order in which they are updated."""

    def batch(self, step: int) -> Any:
        """The batch of this step, a pure function of the program's seed and `step`."""

    def validate(self) -> Numbers:
        """Numbers on data that is never trained on."""

    def save(self, folder: Path) -> None:
        """Writes the finished thing (a codec, a network) where others load it from."""


@dataclass
class Outcome:
    """Where a run stands when `run` returns."""

    step: int
    finished: bool
    wall_s: float
    numbers: Numbers = field(default_factory=dict)


def run(program: Program, config: LoopConfig, folder: Path) -> Outcome:
    """Trains until `num_steps` or the time limit, and saves the finished thing into `folder`; resumes if a
    checkpoint is there. UserError where the checkpoint is damaged or of another run, and where another
    process of the same training is lost.
    """
    device = own_device(pick_device(config.device or None))
    with joined(device) as group:
        return _Run(program, config, folder, device, group).go()


class _Run:
    """One sitting of one process."""

    def __init__(
        self, program: Program, config: LoopConfig, folder: Path, device: torch.device, group: Group
    ) -> None:
        self.program, self.config, self.folder, self.device, self.group = (
            program,
            config,
            folder,
            device,
            group,
        )
        folder.mkdir(parents=True, exist_ok=True)
        # a place that cannot be written is known now, not at the first checkpoint
        open(folder / "log.jsonl", "a").close()
        seed_all(config.seed)
        if config.shard and not hasattr(program, "shard"):
            raise UserError("loop.shard is for the network; codecs are small enough for every process")
        self.modules = {}
        for name, (module, loss) in program.modules.items():
            module.to(device).train()
            if config.shard and group.size > 1:
                program.shard(group, device)  # type: ignore[attr-defined]
            optimizer = Optimizers(
                module,
                config.learning_rate,
                weight_decay=config.weight_decay,
                betas=(config.beta1, config.beta2),
                muon=config.muon,
                rows=getattr(program, "row_rates", None),
                ratio=getattr(program, "width_ratio", 1.0),
            )
            self.modules[name] = (module, optimizer, loss)

    def go(self) -> Outcome:
        """Trains, and saves at the end."""
        config, folder = self.config, self.folder
        start, spent = _resume(self.modules, self.program.origin, folder)
        if start >= config.num_steps and self.group.is_first:
            print(
                f"{folder.name} is finished after {start:,} steps; to go on, raise loop.num_steps; to "
                f"begin anew, delete {folder / NAME}"
            )
        began = time.monotonic() - spent  # of all sittings
        done, numbers = self._train(start, began)
        for module, _, _ in self.modules.values():
            put_together(module)
        if self.group.is_first:
            self.program.save(folder)
        return Outcome(done, done >= config.num_steps, time.monotonic() - began, numbers)

    def _train(self, start: int, began: float) -> tuple[int, Numbers]:
        """Steps from `start` until the end or the time limit -> the steps done, the last numbers."""
        config, saved = self.config, time.monotonic()
        stop_at = saved + (config.time_limit_s or float("inf"))
        done, numbers = start, Numbers()
        with progress(None if self.group.is_first else Console(quiet=True)) as bar:
            task = bar.add_task(self.folder.name, total=config.num_steps, completed=start, note="")
            for step in range(start, config.num_steps):
                numbers = self._step(step)
                bar.update(task, advance=1, note=_brief(numbers))
                done = step + 1
                if done % config.validate_every == 0 or done == config.num_steps:
                    numbers = {**numbers, **_validate(self.program, self.modules)}
                    if self.group.is_first:
                        _log(self.folder, done, time.monotonic() - began, numbers)
                    bar.console.print(
                        f"step {done}: " + " ".join(f"{key} {value:.3f}" for key, value in numbers.items()),
                        highlight=False,
                    )
                now = time.monotonic()
                stop = any_of(now > stop_at, self.group, self.device)
                due = any_of(now - saved > config.checkpoint_every_s, self.group, self.device)
                if stop or due or done == config.num_steps:
                    self._save(done, now - began)
                    saved = time.monotonic()
                if stop:
                    break
        return done, numbers

    def _step(self, step: int) -> Numbers:
        """One update of every module on the batch of `step` -> the parts of the losses."""
        config = self.config
        num_parts = self.group.size * config.accumulate
        batch = self.program.batch(step)
        weigh = getattr(self.program, "weight", None)
        parts = [rows_of(batch, n, num_parts) for n in range(num_parts)] if num_parts > 1 else [batch]
        weights = [float(weigh(part)) if weigh else 1.0 for part in parts]
        mine = range(self.group.rank, num_parts, self.group.size)
        own = [(_to(parts[n], self.device), weights[n] / sum(weights)) for n in mine]
        factor = warmup_cosine(
            step, num_steps=config.num_steps, warmup_steps=config.warmup_steps, floor=config.floor
        )
        numbers: Numbers = {}
        for module, optimizer, loss_of in self.modules.values():
            optimizer.scale(factor)
            optimizer.zero_grad()
            numbers.update(self._gradients(module, loss_of, own, step))
            norm = nn.utils.clip_grad_norm_(module.parameters(), config.max_grad_norm)
            if torch.isfinite(whole(norm)):  # a single broken batch must not end a run of hours
                optimizer.step()
                getattr(self.program, "after_step", lambda: None)()
        return numbers

    def _gradients(
        self, module: nn.Module, loss_of: Loss, own: list[tuple[Any, float]], step: int
    ) -> Numbers:
        """Gradients of the whole batch's loss in every process -> the parts of the loss."""
        shared, totals = is_sharded(module), dict[str, Tensor]()
        for part, share in own:
            with autocast(self.device, enabled=self.config.bf16):
                loss, found = loss_of(part, step)
            (loss * (share * self.group.size if shared else share)).backward()  # a sharded module averages
            for key, value in found.items():
                totals[key] = totals.get(key, torch.zeros((), device=self.device)) + value.float() * share
        if not shared:
            sum_over([p.grad for p in module.parameters() if p.grad is not None], self.group)
        sum_over(list(totals.values()), self.group)
        return {key: float(value) for key, value in totals.items()}

    def _save(self, step: int, spent_s: float) -> None:
        states = {
            name: {"module": whole(module.state_dict()), "optimizer": whole(optimizer.state_dict())}
            for name, (module, optimizer, _) in self.modules.items()
        }
        if self.group.is_first:
            save_checkpoint(
                self.folder,
                {"step": step, "spent_s": spent_s, "origin": self.program.origin, "modules": states},
            )


def _validate(program: Program, modules: dict) -> Numbers:
    for module, _, _ in modules.values():
        module.eval()
    with torch.no_grad():
        numbers = {f"val_{key}": value for key, value in program.validate().items()}
    for module, _, _ in modules.values():
        module.train()
    return numbers


def _resume(modules: dict, origin: str, folder: Path) -> tuple[int, float]:
    """Loads the checkpoint, if there is one -> the step to go on from, and the seconds that the run has taken
    so far. UserError where the checkpoint is of another run.
    """
    state = load_checkpoint(folder)
    if state is None:
        return 0, 0.0
    again = f"delete {folder / NAME} to begin anew"
    if "modules" not in state:
        raise UserError(f"the checkpoint in {folder} is of an earlier version and cannot be resumed; {again}")
    if set(state["modules"]) != set(modules):
        raise UserError(
            f"{folder} holds a run of {sorted(state['modules'])}, not of {sorted(modules)}; {again}"
        )
    if state.get("origin", origin) != origin:
        raise UserError(f"the run in {folder} began from other weights than there are now; {again}")
    for name, (module, optimizer, _) in modules.items():
        try:
            module.load_state_dict(shared_like(state["modules"][name]["module"], module))
            optimizer.load_state_dict(state["modules"][name]["optimizer"])
        except (
            RuntimeError,
            ValueError,
        ) as error:  # weights of other shapes; another optimizer, or one of other parameters
            reason = str(error).strip().splitlines()[-1].strip()
            raise UserError(
                f"the checkpoint in {folder} is of another size or recipe ({reason}); {again}"
            ) from None
    return state["step"], state.get("spent_s", 0.0)


def _log(folder: Path, step: int, wall_s: float, numbers: Numbers) -> None:
    with open(folder / "log.jsonl", "a") as log:
        log.write(json.dumps({"step": step, "wall_s": round(wall_s, 1), **numbers}) + "\n")


def _to(batch: Any, device: torch.device) -> Any:
    if isinstance(batch, dict):
        return {key: _to(value, device) for key, value in batch.items()}
    return batch.to(device, non_blocking=True) if isinstance(batch, Tensor) else batch


def _brief(numbers: Numbers) -> str:
    return " ".join(f"{key} {value:.3f}" for key, value in list(numbers.items())[:4])
