"""Discriminators: who is to be judged true and who made."""

import torch

from unisono.codecs.discriminators import Discriminators, discriminator_loss, generator_loss


class Ideal:
    """Says 1 of ones and 0 of zeros."""

    def places(self, num_samples: int) -> tuple[int, list[int]]:
        return 0, []

    def __call__(self, pcm: torch.Tensor, *_: object) -> list[tuple]:
        return [(pcm.mean()[None], [pcm])] * 6


def test_true_sound_is_one_and_made_sound_nothing() -> None:
    true, made = torch.ones(1, 9), torch.zeros(1, 9)
    assert discriminator_loss(Ideal(), made, true) == 0 and discriminator_loss(Ideal(), true, made) == 2
    assert generator_loss(Ideal(), true, true)[0] == 0 and generator_loss(Ideal(), made, true)[0] == 1
    assert generator_loss(Ideal(), true, true)[1] == 0 < generator_loss(Ideal(), made, true)[1]


def test_places_lie_within_the_sound() -> None:
    discriminators = Discriminators(crop=9600)
    for _ in range(20):
        start, windows = discriminators.places(12000)
        assert 0 <= start <= 2400 and all(
            0 <= at <= 9600 - discriminator.window
            for at, discriminator in zip(windows, discriminators.windows)
        )
    assert len(discriminators(torch.randn(2, 12000), start, windows)) == 6
