"""Which numbers a network is trained in. The model's own code knows nothing of it.

bf16: as loop.bf16 says, where the device has instructions for it. float32: nothing shorter. flexpoint16, and
fixed16 with 12 bits behind the point (fixed16:8 with 8): emulated, see train/flexpoint.py. fp8: torchao's
Float8Linear, on a GPU that has such numbers.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from unisono.core.distributed import group_of
from unisono.core.errors import UserError
from unisono.train.flexpoint import HIGHEST, LOWEST, Emulation
from unisono.train.mup import is_between_layers

PRECISIONS = ("bf16", "float32", "fp8", "flexpoint16", "fixed16")
EMULATED = ("flexpoint16", "fixed16")
FIXED_BITS = 12  # behind the point
FP8_MULTIPLE = 16  # of both sides of a matrix
FP8_CAPABILITY = (8, 9)

Context = Callable[[], AbstractContextManager[None]]


def is_emulated(precision: str) -> bool:
    """Whether the numbers are emulated in float32."""
    return precision.partition(":")[0] in EMULATED


def check_precision(precision: str, recompute: bool) -> None:
    """UserError for a precision that is none, or not with what else is asked."""
    kind, colon, bits = precision.partition(":")
    if kind not in PRECISIONS or colon and kind != "fixed16":
        raise UserError(f"no precision {precision!r}; choose from {', '.join(PRECISIONS)}")
    if colon and not (bits.isascii() and bits.isdigit() and HIGHEST <= int(bits) <= -LOWEST):
        wanted = f"{HIGHEST} to {-LOWEST} bits behind the point"
        raise UserError(f"expected fixed16:BITS with {wanted}, got {precision!r}")
    if is_emulated(precision) and (recompute or group_of().size > 1):
        raise UserError(f"{precision} is emulated in one process, without recompute; leave those out")


def in_precision(model: nn.Module, precision: str, device: torch.device) -> Context:
    """Prepares the model -> the context in which it is to be called. UserError where the device or a package
    lacks what is needed.
    """
    if precision == "fp8":
        to_fp8(model, device)
    if precision in ("bf16", "fp8"):
        return nullcontext
    if precision == "float32":
        return lambda: torch.autocast(device.type, enabled=False)
    kind, _, bits = precision.partition(":")
    emulation = Emulation(model, -int(bits or FIXED_BITS) if kind == "fixed16" else None)

    @contextlib.contextmanager
    def emulated() -> Iterator[None]:
        with torch.autocast(device.type, enabled=False), emulation.products():
            yield

    return emulated


def to_fp8(model: nn.Module, device: torch.device, emulate: bool = False) -> None:
    """Products of the model's matrices become those of 8-bit floats (torchao), in place. `emulate`: in
    float32, for tests. UserError without such a GPU or without torchao.
    """
    if not emulate and (device.type != "cuda" or torch.cuda.get_device_capability(device) < FP8_CAPABILITY):
        raise UserError(
            "precision=fp8 needs a GPU of compute capability 8.9 or above (L4, RTX 40, H100 or newer); "
            "choose precision=bf16 here"
        )
    try:
        from torchao.float8 import Float8LinearConfig, convert_to_float8_training
    except ImportError:
        raise UserError("precision=fp8 needs a package; run: pip install 'unisono[fp8]'") from None
    convert_to_float8_training(model, config=Float8LinearConfig(emulate=emulate), module_filter_fn=is_for_fp8)


def is_for_fp8(module: nn.Module, name: str) -> bool:
    """Whether a layer's product can be one of 8-bit floats: its matrix is learned and of whole blocks. The
    head and what chooses experts stay as they are.
    """
    return (
        isinstance(module, nn.Linear)
        and is_between_layers(f"{name}.weight", module.weight)
        and module.weight.requires_grad
        and module.in_features % FP8_MULTIPLE == 0
        and module.out_features % FP8_MULTIPLE == 0
    )
