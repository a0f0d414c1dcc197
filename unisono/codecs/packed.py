"""Layers of a finished codec, packed for the CPU.

In a stream only a few frames arrive at a time. A matrix product then costs the time to read its weights, and
PyTorch's plain product reads them at a quarter of the memory's speed. FBGEMM's packed half precision (Khudia
et al. 2021, arXiv 2101.05615) reads half the bytes at full speed and adds in float32. Codecs are stored in
half precision, so nothing is lost. Most of the remaining time is overhead of calling operators: a packed
filter calls two for all its taps instead of two for each.
"""

import torch
from torch import Tensor, nn

from unisono.codecs.causal import CausalDepthwise


class PackedLinear(nn.Module):
    """A linear layer in half precision: (..., C_in) float32 -> (..., C_out). It can be neither trained nor
    saved.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.packed = torch.ops.quantized.linear_prepack_fp16(linear.weight.detach(), linear.bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        """(..., C_in) -> (..., C_out), equal to the linear layer up to the order of summation."""
        return torch.ops.quantized.linear_dynamic_fp16(x, self.packed)


class PackedDepthwise(CausalDepthwise):
    """The same filter with all taps at once. It takes half the time where frames are few, but K times the
    memory, and is slower to train.
    """

    def __init__(self, layer: CausalDepthwise) -> None:
        nn.Module.__init__(self)
        self.kernel_size, self.dilation, self.num_past = layer.kernel_size, layer.dilation, layer.num_past
        self.weight, self.bias = layer.weight, layer.bias

    def filtered(self, padded: Tensor, num_frames: int) -> Tensor:
        """(B, P + F, C) -> (B, F, C)."""
        seen = padded.unfold(1, self.num_past + 1, 1)[..., :: self.dilation]  # (B, F, C, K), a view
        return (seen.permute(0, 3, 1, 2) * self.weight[:, None]).sum(1) + self.bias


def pack(module: nn.Module) -> None:
    """Replaces, in place, every depthwise filter and every linear layer with half-precision weights by its
    packed form. Does nothing where PyTorch lacks FBGEMM (other than x86).
    """
    if not can_pack():
        return
    for name, child in module.named_children():
        if (
            isinstance(child, nn.Linear)
            and child.bias is not None
            and child.weight.device.type == "cpu"
            and is_half(child.weight)
        ):
            setattr(module, name, PackedLinear(child))
        elif isinstance(child, CausalDepthwise) and child.weight.device.type == "cpu":
            setattr(module, name, PackedDepthwise(child))
        else:
            pack(child)


def can_pack() -> bool:
    """Whether this PyTorch has FBGEMM."""
    return "fbgemm" in torch.backends.quantized.supported_engines


def is_half(weight: Tensor) -> bool:
    """Whether float32 weights are exactly representable in half precision."""
    return weight.dtype == torch.float32 and torch.equal(weight, weight.half().float())
