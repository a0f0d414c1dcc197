"""Training in 16-bit numbers, emulated: Flexpoint (Koester et al. 2017, arXiv 1711.02213) and fixed point.

A tensor is 16-bit integers (mantissas) times 2**exponent, with one exponent for all of it. Autoflex chooses
that exponent before the tensor is computed, from its maxima in the steps before, so that it can be written
at once. In fixed point one exponent serves all tensors and never changes.

Kept so are the weights themselves (there is no other copy of them) and what goes into and comes out of each
matrix product, on the way forward and back. Sums within a product, norms, softmax and the optimizer's means
are float32. The values are those of 16 bits; the time is that of float32 and more.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil, isfinite, log2
from statistics import pstdev
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

BITS = 16
LARGEST = 2 ** (BITS - 1) - 1
LOWEST, HIGHEST = -31, 0  # what an exponent of 5 bits can say
NUM_MAXIMA, ALPHA, BETA, GAMMA = 16, 2.0, 3.0, 100.0  # of Autoflex, from memory
NAME = "emulation"  # of the part of a model that keeps the exponents


def rounded(x: Tensor, exponent: int) -> Tensor:
    """The nearest values that 16-bit integers times 2**exponent can take; what is too large saturates."""
    return (x * 2.0**-exponent).round_().clamp_(-LARGEST - 1, LARGEST).mul_(2.0**exponent)


@dataclass
class Exponent:
    """The exponent that a tensor is written with the next time. Without maxima it was never written."""

    value: int = 0
    maxima: list[float] = field(default_factory=list)

    def begin(self, largest: float) -> None:
        """Finds the exponent for the first time by trying again."""
        for _ in range(8):
            mantissa = self._mantissa(largest)
            if mantissa >= LARGEST:
                self._set(self.value + (BITS - 1) // 2)
            elif mantissa < 2 ** (BITS - 2):
                self._set(self.value + ceil(log2(max(mantissa, 1))) - (BITS - 2))
                if mantissa > 2 ** (BITS // 2 - 2):  # enough bits for a reliable jump
                    break
            else:
                break

    def learn(self, largest: float) -> None:
        """Predicts the next exponent after the tensor was written (algorithm 2)."""
        mantissa, scale = self._mantissa(largest), 2.0**self.value
        if (
            mantissa >= LARGEST
        ):  # too large by an unknown amount: a bit more, and what was before says nothing
            self.maxima.clear()
            mantissa *= 2
        self.maxima = [*self.maxima, mantissa * scale][-NUM_MAXIMA:]
        expected = ALPHA * (max(self.maxima) + BETA * pstdev(self.maxima) + GAMMA * scale)
        self._set(ceil(log2(expected)) - BITS + 1)

    def _mantissa(self, largest: float) -> int:
        """The largest mantissa that was written."""
        return min(round(largest * 2.0**-self.value), LARGEST)

    def _set(self, value: int) -> None:
        self.value = min(max(value, LOWEST), HIGHEST)


class Emulation(nn.Module):
    """Keeps the exponents of a model's tensors, and is saved with its state. Inside of `with
    emulation.products()` all matrix products of the model are those of 16-bit numbers.
    """

    def __init__(self, model: nn.Module, fixed: int | None = None) -> None:
        """fixed: the one exponent of fixed point; None is Flexpoint."""
        super().__init__()
        self.fixed = fixed
        self.exponents: dict[str, Exponent] = {}
        self.named = dict(model.named_parameters())
        self.names = {id(parameter): name for name, parameter in self.named.items()}
        model.add_module(NAME, self)
        self.keep_weights()

    def products(self) -> TorchFunctionMode:
        """A context."""
        return _Products(self)

    @torch.no_grad()
    def keep_weights(self) -> None:
        """Writes all weights as 16-bit numbers, as the optimizer has left them."""
        for name, parameter in self.named.items():
            parameter.copy_(self.kept(parameter, name))

    def kept(self, x: Tensor, name: str, learn: bool = True) -> Tensor:
        """The tensor of this name as it is written. learn: whether its next exponent follows from it."""
        if not x.numel():  # what an expert gets that nothing was sent to
            return x
        if self.fixed is not None:
            return rounded(x, self.fixed)
        exponent = self.exponents.setdefault(name, Exponent())
        largest = float(x.abs().amax()) if learn or not exponent.maxima else 0.0
        if not isfinite(largest):  # the loop skips such a step
            return x
        if not exponent.maxima:
            exponent.begin(largest)
        written = rounded(x, exponent.value)
        if learn:
            exponent.learn(largest)
        return written

    def get_extra_state(self) -> dict[str, Any]:
        """What a resumed training needs to go on exactly."""
        return {
            "fixed": self.fixed,
            "exponents": {name: [one.value, one.maxima] for name, one in self.exponents.items()},
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restores what `get_extra_state` gave. ValueError where it is of another format."""
        if state["fixed"] != self.fixed:
            raise ValueError("its numbers are of another precision")
        self.exponents = {
            name: Exponent(value, list(maxima)) for name, (value, maxima) in state["exponents"].items()
        }


class _Kept(torch.autograd.Function):
    """Writes a tensor forward, its gradient backward; an empty name leaves it as it is."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, emulation: Emulation, names: tuple[str, str], learn: bool) -> Tensor:
        ctx.emulation, ctx.name = emulation, names[1]
        return emulation.kept(x, names[0], learn) if names[0] else x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:  # type: ignore[override]
        return ctx.emulation.kept(gradient, ctx.name), None, None, None


class _Products(TorchFunctionMode):
    """Sees every matrix product of a model without the model's knowing."""

    def __init__(self, emulation: Emulation) -> None:
        super().__init__()
        self.emulation, self.num_attentions = emulation, 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is functional.linear and (name := self.emulation.names.get(id(args[1]))):
            x = self._pair(args[0], f"{name} in")
            weight = self._kept(args[1], "", f"{name} gradient")
            return self._pair(func(x, weight, *args[2:], **kwargs), f"{name} out")
        if func is functional.scaled_dot_product_attention:
            name = f"attention {self.num_attentions}"
            self.num_attentions += 1
            inputs = (self._pair(x, f"{name} {letter}") for x, letter in zip(args, "qkv"))
            return self._pair(func(*inputs, *args[3:], **kwargs), f"{name} out")
        return func(*args, **kwargs)

    def _pair(self, x: Tensor, name: str) -> Tensor:
        """A tensor and its gradient."""
        return self._kept(x, name, f"{name} gradient")

    def _kept(self, x: Tensor, forward: str, backward: str) -> Tensor:
        return _Kept.apply(x, self.emulation, (forward, backward), torch.is_grad_enabled())
