"""The only training loop. Codecs and network hand it a Program: modules, batches, losses.

A batch is a pure function of (seed, step), so a resumed run sees the data that an uninterrupted one would
have seen, and no data position has to be stored.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from unisono.core.device import autocast, pick_device, seed_all
from unisono.core.errors import UserError
from unisono.core.progress import progress
from unisono.train.checkpoint import NAME, load_checkpoint, save_checkpoint
from unisono.train.optim import Optimizers
from unisono.train.schedule import warmup_cosine

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
    bf16: bool = True
    device: str = ""  # empty = the best there is

    def __post_init__(self) -> None:
        for name, least in (("num_steps", 1), ("validate_every", 1), ("seed", 0)):
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
    checkpoint is there. UserError where the checkpoint is damaged or of another run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    open(
        folder / "log.jsonl", "a"
    ).close()  # a place that cannot be written is known now, not at the first checkpoint
    device = pick_device(config.device or None)
    seed_all(config.seed)
    modules = {}
    for name, (module, loss) in program.modules.items():
        module.to(device).train()
        optimizer = Optimizers(
            module,
            config.learning_rate,
            weight_decay=config.weight_decay,
            betas=(config.beta1, config.beta2),
            muon=config.muon,
            rows=getattr(program, "row_rates", None),
        )
        modules[name] = (module, optimizer, loss)
    start, spent = _resume(modules, program.origin, folder)
    if start >= config.num_steps:
        print(
            f"{folder.name} is finished after {start:,} steps; to go on, raise loop.num_steps; to "
            f"begin anew, delete {folder / NAME}"
        )
    saved = time.monotonic()
    began = saved - spent  # of all sittings
    stop_at = saved + (config.time_limit_s or float("inf"))
    numbers: Numbers = {}
    with progress() as bar:
        task = bar.add_task(folder.name, total=config.num_steps, completed=start, note="")
        for step in range(start, config.num_steps):
            numbers = _step(program, modules, config, step, device)
            bar.update(task, advance=1, note=_brief(numbers))
            done = step + 1
            if done % config.validate_every == 0 or done == config.num_steps:
                numbers = {**numbers, **_validate(program, modules)}
                _log(folder, done, time.monotonic() - began, numbers)
                bar.console.print(
                    f"step {done}: " + " ".join(f"{key} {value:.3f}" for key, value in numbers.items()),
                    highlight=False,
                )
            now = time.monotonic()
            stop = now > stop_at
            if stop or done == config.num_steps or now - saved > config.checkpoint_every_s:
                _save(modules, program.origin, folder, done, now - began)
                saved = time.monotonic()
            if stop:
                break
        else:
            done = max(start, config.num_steps)
    finished = done >= config.num_steps
    program.save(folder)
    return Outcome(step=done, finished=finished, wall_s=time.monotonic() - began, numbers=numbers)


def _step(program: Program, modules: dict, config: LoopConfig, step: int, device: torch.device) -> Numbers:
    """One update of every module on the batch of `step` -> the parts of the losses."""
    batch = _to(program.batch(step), device)
    factor = warmup_cosine(
        step, num_steps=config.num_steps, warmup_steps=config.warmup_steps, floor=config.floor
    )
    numbers: Numbers = {}
    for module, optimizer, loss_of in modules.values():
        optimizer.scale(factor)
        with autocast(device, enabled=config.bf16):
            loss, parts = loss_of(batch, step)
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(module.parameters(), config.max_grad_norm)
        if torch.isfinite(norm):  # a single broken batch must not end a run of hours
            optimizer.step()
        numbers.update({key: float(value) for key, value in parts.items()})
    return numbers


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
            module.load_state_dict(state["modules"][name]["module"])
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


def _save(modules: dict, origin: str, folder: Path, step: int, spent_s: float) -> None:
    states = {
        name: {"module": module.state_dict(), "optimizer": optimizer.state_dict()}
        for name, (module, optimizer, _) in modules.items()
    }
    save_checkpoint(folder, {"step": step, "spent_s": spent_s, "origin": origin, "modules": states})


def _log(folder: Path, step: int, wall_s: float, numbers: Numbers) -> None:
    with open(folder / "log.jsonl", "a") as log:
        log.write(json.dumps({"step": step, "wall_s": round(wall_s, 1), **numbers}) + "\n")


def _to(batch: Any, device: torch.device) -> Any:
    if isinstance(batch, dict):
        return {key: _to(value, device) for key, value in batch.items()}
    return batch.to(device, non_blocking=True) if isinstance(batch, Tensor) else batch


def _brief(numbers: Numbers) -> str:
    return " ".join(f"{key} {value:.3f}" for key, value in list(numbers.items())[:4])
