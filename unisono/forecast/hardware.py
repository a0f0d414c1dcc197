"""GPUs by name: what their makers' data sheets give, dense and without sparsity. No prices: they change."""

from dataclasses import dataclass

from unisono.core.config import override
from unisono.core.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """One GPU and what connects it with others. Bytes and operations, per second where that applies."""

    name: str
    flops_per_s: float  # of matrices in bfloat16, added up in float32
    memory: float
    bandwidth: float  # of the memory
    link: float  # to the GPUs of the same machine, one way
    gpus_per_node: int = 8
    network: float = 50e9  # to other machines, per GPU and one way: 400 Gbit/s

    def reach(self, gpus: int) -> float:
        """Bytes/s between so many GPUs: the slowest link decides."""
        return self.link if gpus <= self.gpus_per_node else min(self.link, self.network)


KNOWN = {
    one.name: one
    for one in (
        Hardware(name="b200", flops_per_s=2250e12, memory=180e9, bandwidth=7.7e12, link=900e9),
        Hardware(name="h200", flops_per_s=989.4e12, memory=141e9, bandwidth=4.8e12, link=450e9),
        Hardware(name="h100", flops_per_s=989.4e12, memory=80e9, bandwidth=3.35e12, link=450e9),
        Hardware(name="a100", flops_per_s=312e12, memory=80e9, bandwidth=2.039e12, link=300e9),
        Hardware(name="mi300x", flops_per_s=1307.4e12, memory=192e9, bandwidth=5.3e12, link=448e9),
        Hardware(name="l40s", flops_per_s=362e12, memory=48e9, bandwidth=0.864e12, link=32e9),
        Hardware(name="l4", flops_per_s=121e12, memory=24e9, bandwidth=0.3e12, link=32e9),
        Hardware(name="rtx4090", flops_per_s=165.2e12, memory=24e9, bandwidth=1.008e12, link=32e9),
    )
}


def hardware_of(text: str) -> Hardware:
    """ "h100", or "h100,memory=94e9,network=25e9" with fields of its own. UserError for an unknown name or
    field, and for a number that is not above 0.
    """
    name, *changes = text.split(",")
    if name not in KNOWN:
        raise UserError(
            f"unknown hardware {name!r}; choose one of {', '.join(KNOWN)}, with other numbers after a comma, "
            "such as h100,memory=94e9"
        )
    hardware = override(KNOWN[name], changes)
    for field, value in vars(hardware).items():
        if field != "name" and not 0 < value < float("inf"):
            raise UserError(f"{field} of the hardware must be above 0, got {value:g}")
    return hardware
