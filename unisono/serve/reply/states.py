"""Hidden states of the network over texts: what embeddings and moderation are made of.

The engines give next ids only; the states come from the network in PyTorch, in float32, loaded when first
asked for.
Computed on the codecs' thread in pieces small enough that a voice beside it does not stop.

Shapes: B texts, T ids, S places, C hidden_size, as in moderation/states.py.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from unisono.moderation.states import States, batches
from unisono.serve.reply.service import Service


def states_of(service: Service) -> States:
    """The states of the server's network. Call it on the codecs' thread, where they are loaded once."""
    return service.states


async def means_of(
    service: Service, begin: Sequence[int], texts: Sequence[Sequence[int]]
) -> NDArray[np.float32]:
    """Texts as ids, each after the ids `begin` -> (B, S, C)."""
    states, found = await service.codec(states_of, service), dict[int, NDArray[np.float32]]()
    for batch in batches(texts):
        means = await service.codec(states.means, begin, [texts[place] for place in batch])
        found.update(zip(batch, means))
    return np.stack([found[place] for place in range(len(texts))])
