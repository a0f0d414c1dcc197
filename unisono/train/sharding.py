"""One network over several processes: each keeps a share of every weight and of its optimizer's state (FSDP2,
Zhao et al. 2023, arXiv 2304.11277; torch.distributed.fsdp.fully_shard).

The model itself knows nothing of it. In this order: recompute what was computed, compile, shard.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import apply_activation_checkpointing
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from unisono.core.distributed import Group


def recomputed(model: nn.Module, kind: type[nn.Module]) -> None:
    """Layers of this kind keep only their inputs and compute the rest again on the way back (Chen et al.
    2016, arXiv 1604.06174)."""
    apply_activation_checkpointing(model, check_fn=lambda module: isinstance(module, kind))


def sharded(model: nn.Module, layers: list[nn.Module], group: Group, device: torch.device) -> None:
    """Each layer, and what lies outside of layers, is shared by all processes from here on."""
    mesh = init_device_mesh(device.type, (group.size,))
    for layer in layers:
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)


def is_sharded(module: nn.Module) -> bool:
    """Whether this process holds only a share of the weights."""
    return any(isinstance(parameter, DTensor) for parameter in module.parameters())


def whole(state: Any) -> Any:
    """A nested state with every shared tensor put together, in the memory of the CPU. All processes must
    ask."""
    if isinstance(state, dict):
        return {key: whole(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(whole(value) for value in state)
    return whole_tensor(state).cpu() if isinstance(state, DTensor) else state


def whole_tensor(tensor: Tensor) -> Tensor:
    """A tensor put together from the shares of all processes; a whole one as it is."""
    if not isinstance(tensor, DTensor):
        return tensor
    together: Tensor = tensor.full_tensor()
    return together


def like(value: Tensor, other: Tensor) -> Tensor:
    """A whole tensor, shared as `other` is."""
    if not isinstance(other, DTensor) or isinstance(value, DTensor):
        return value
    return distribute_tensor(value.to(other.device), other.device_mesh, other.placements, src_data_rank=None)


def own_rows(table: Tensor) -> tuple[Tensor, int]:
    """The rows of a table that this process keeps, as a view, and the number of the first of them."""
    if not isinstance(table, DTensor):
        return table, 0
    mesh = table.device_mesh
    return table.to_local(), mesh.get_local_rank() * -(-table.shape[0] // mesh.size())


def shared_like(state: dict[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """Whole weights by name, shared as those of the module are."""
    present = module.state_dict()
    return {name: like(value, present[name]) if name in present else value for name, value in state.items()}


def put_together(module: nn.Module) -> None:
    """The module's weights become whole again in every process; it cannot be trained further."""
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            if isinstance(parameter, DTensor):
                whole_one = nn.Parameter(whole_tensor(parameter.detach()), parameter.requires_grad)
                part._parameters[name] = whole_one
