"""FSQ: codes and values are one-to-one, gradients pass, bad codes are refused."""

import pytest
import torch

from unisono.codecs.quantize import FSQ


def test_every_code_comes_back() -> None:
    quantizer = FSQ((7, 5, 4))
    codes = torch.arange(quantizer.codebook_size)
    values = quantizer.from_codes(codes)
    assert quantizer.codebook_size == 140
    assert values.abs().max() <= 1
    assert torch.equal(quantizer.to_codes(values), codes)
    assert len(torch.unique(values, dim=0)) == 140


def test_forward_agrees_with_from_codes_and_lets_gradients_through() -> None:
    quantizer = FSQ((5, 5))
    z = torch.randn(3, 4, 2, requires_grad=True)
    values, codes = quantizer(z)
    assert codes.shape == (3, 4)
    torch.testing.assert_close(values, quantizer.from_codes(codes))
    values.sum().backward()
    assert (z.grad != 0).all()


def test_codes_outside_the_codebook_are_refused() -> None:
    quantizer = FSQ((5, 5))
    with pytest.raises(ValueError, match=r"\[0, 25\)"):
        quantizer.from_codes(torch.tensor([3, 25]))
    with pytest.raises(ValueError, match=r"\[0, 25\)"):
        quantizer.from_codes(torch.tensor([-1]))
    with pytest.raises(ValueError, match="2 or more"):
        FSQ((5, 1))
