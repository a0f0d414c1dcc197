"""Instructions come short and long, in a line and as lists."""

import random

from unisono.data.world.instructions import HEADINGS, SENTENCES, instructions


def test_instructions_are_of_every_length_and_shape() -> None:
    made = [instructions(random.Random(seed)) for seed in range(300)]
    assert made[:20] == [instructions(random.Random(seed)) for seed in range(20)]
    sizes = [sum(sentence in text for sentence in SENTENCES) for text in made]
    assert min(sizes) == 1 and max(sizes) >= 9
    lists = [text for text in made if text.startswith(("- ", *HEADINGS))]
    assert 40 < len(lists) < 150 and any(heading in text for text in lists for heading in HEADINGS)
    assert len(set(SENTENCES)) == len(SENTENCES) and len(set(made)) > 200
