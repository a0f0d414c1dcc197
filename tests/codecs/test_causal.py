"""Causal layers: chunked equals whole, and the future never reaches the past."""

import torch

from unisono.codecs.causal import CausalStack


def test_pieces_equal_the_whole() -> None:
    torch.manual_seed(0)
    stack = CausalStack(6, 16, (1, 2, 4)).eval()
    x = torch.randn(2, 37, 6)
    whole, _ = stack(x)
    pieces, states = [], None
    for piece in x.split([1, 2, 10, 3, 21], dim=1):
        y, states = stack(piece, states)
        pieces.append(y)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, atol=1e-5, rtol=0)


def test_the_future_does_not_reach_the_past() -> None:
    torch.manual_seed(0)
    stack = CausalStack(6, 16, (1, 3)).eval()
    x = torch.randn(1, 20, 6)
    changed = x.clone()
    changed[:, 12:] += 1
    y, z = stack(x)[0], stack(changed)[0]
    torch.testing.assert_close(y[:, :12], z[:, :12])
    assert not torch.allclose(y[:, 12:], z[:, 12:])
