"""Slaney's mel bands, as Whisper and the speaker encoder have them.

Shapes: M bands.
"""

import torch
from torch import Tensor


def slaney_bands(num_mels: int, num_bins: int, sample_rate: int) -> Tensor:
    """(num_bins, M) how much of each bin of a power spectrum a band holds: triangles of equal area, linear up
    to 1 kHz, logarithmic beyond (Slaney, Auditory Toolbox, 1998)."""
    linear, step = 200 / 3, torch.log(torch.tensor(6.4, dtype=torch.float64)) / 27
    top = 15 + torch.log(torch.tensor(sample_rate / 2000, dtype=torch.float64)) / step
    mels = torch.linspace(0, float(top), num_mels + 2, dtype=torch.float64)
    edges = torch.where(mels < 15, mels * linear, 1000 * torch.exp((mels - 15) * step))
    bins = torch.linspace(0, sample_rate / 2, num_bins, dtype=torch.float64)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    triangles = torch.clamp(torch.minimum(rising, falling), min=0)
    return (triangles * 2 / (edges[2:] - edges[:-2])).float()
