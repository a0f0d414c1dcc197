"""An engine that computes elsewhere: vLLM, SGLang or llama.cpp's server holding the exported network, asked
by token ids.

Each feed asks /v1/completions for one id with the log-probabilities of the likeliest; they stand in for the
logits, and whatever is not among them counts as far less likely. The other side's prefix cache keeps what was
said before. Start vLLM with --max-logprobs as large as NUM_LOGPROBS here.

Shapes: N sequences fed together, V vocab_size.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisono.core.errors import UserError
from unisono.engine.cache import too_long
from unisono.engine.engine import Engine, EngineAway, Feed, Handle

NUM_LOGPROBS = 1000
FAR = 20.0  # nats below the least likely that was told
WAIT_S = 60.0


class RemoteEngine(Engine):
    """Sequences are kept here as ids; only their next id is computed there."""

    def __init__(
        self,
        url: str,
        vocab_size: int,
        max_length: int,
        *,
        model: str = "unisono",
        key: str = "none",
        max_at_once: int = 32,
    ) -> None:
        import httpx

        if not (key.isascii() and key.isprintable()):  # and not shown: it is a secret
            raise UserError(
                "the key of the remote engine, UNISONO_ENGINE_KEY, may hold only printable ASCII characters"
            )
        try:
            httpx.URL(url)
        except httpx.InvalidURL as error:
            raise UserError(
                f"{url!r} is no address of a server ({error}); expected one such as http://gpu:8000/v1"
            ) from None
        self.vocab_size, self.max_length, self.model = vocab_size, max_length, model
        self.url = url.rstrip("/") + "/completions"
        self.client = httpx.Client(timeout=WAIT_S, headers={"authorization": f"Bearer {key}"})
        self.pool = ThreadPoolExecutor(max_at_once)
        self.sequences: dict[Handle, list[int]] = {}
        self._next = 0

    def open(self) -> Handle:
        handle, self._next = self._next, self._next + 1
        self.sequences[handle] = []
        return handle

    def feed(self, feeds: Sequence[Feed]) -> NDArray[np.float32]:
        for handle, ids in feeds:
            held = self._ids(handle)
            if len(held) + len(ids) > self.max_length:
                raise too_long(len(ids), self.max_length - len(held), self.max_length)
            if not len(ids) or min(ids) < 0 or max(ids) >= self.vocab_size:
                raise ValueError(f"expected at least one id of 0 .. {self.vocab_size - 1} for each sequence")
        rows = list(self.pool.map(self._ask, [[*self._ids(handle), *ids] for handle, ids in feeds]))
        for handle, ids in feeds:
            self.sequences[handle].extend(int(id) for id in ids)
        return np.stack(rows)

    def _ask(self, ids: list[int]) -> NDArray[np.float32]:
        """(V,) of the id that follows."""
        import httpx

        body = {
            "model": self.model,
            "prompt": [int(id) for id in ids],
            "max_tokens": 1,
            "temperature": 0,
            "logprobs": NUM_LOGPROBS,
            "return_tokens_as_token_ids": True,
        }
        try:
            answer = self.client.post(self.url, json=body)
            answer.raise_for_status()
            told = _logprobs(answer.json()["choices"][0]["logprobs"])
            row = np.full(self.vocab_size, min(told.values()) - FAR, np.float32)
            row[list(told)] = list(told.values())
        except httpx.HTTPError as error:
            raise EngineAway(
                f"the remote engine at {self.url} failed: {error}; check that it runs and serves "
                f"{self.model!r}"
            ) from None
        except (KeyError, IndexError, TypeError, ValueError):
            raise EngineAway(
                f"the remote engine at {self.url} told no log-probabilities of this network's ids; "
                f"serve what `unisono export` wrote, vLLM with --max-logprobs {NUM_LOGPROBS}"
            ) from None
        return row

    def fork(self, handle: Handle) -> Handle:
        other = self.open()
        self.sequences[other] = list(self._ids(handle))
        return other

    def rewind(self, handle: Handle, length: int) -> None:
        held = self._ids(handle)
        if not 0 <= length <= len(held):
            raise ValueError(f"can rewind to 0 .. {len(held)} ids, not to {length}")
        del held[length:]

    def drop(self, handle: Handle) -> None:
        self._ids(handle)
        del self.sequences[handle]

    def length(self, handle: Handle) -> int:
        return len(self._ids(handle))

    def _ids(self, handle: Handle) -> list[int]:
        if handle not in self.sequences:
            raise ValueError(f"no open sequence has the handle {handle}")
        return self.sequences[handle]


def _logprobs(told: dict[str, Any]) -> dict[int, float]:
    """Id -> log-probability, as llama.cpp ({content: [{top_logprobs: [{id, logprob}]}]}) or vLLM
    ({top_logprobs: [{"token_id:7": ...}]}) tells it.
    """
    if "content" in told:
        return {int(one["id"]): float(one["logprob"]) for one in told["content"][0]["top_logprobs"]}
    return {
        int(name.removeprefix("token_id:")): float(value) for name, value in told["top_logprobs"][0].items()
    }
