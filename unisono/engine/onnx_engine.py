"""The fast engine for CPUs: ONNX Runtime over the hand-built graph, with the cache's memory bound in place.

Nothing is copied from step to step: past and present keys are the same memory, and a rewind is only a smaller
length.

Shapes: B rows fed together, T ids per row, K key/value heads, D head_dim, V vocab_size.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from unisono.engine.cache import CachedEngine, Piece
from unisono.engine.onnx_graph import build, cache_names
from unisono.model.config import Qwen3Config
from unisono.model.cost import matmul_parameters
from unisono.model.hf import read_state

PREFILL = 512  # ids of a long prompt fed at a time
SMALL = 20_000_000  # weights; below, a second thread costs more in hand-over than it computes
MAX_BINDINGS = 256


@dataclass(frozen=True)
class Binding:
    """Arrays that one shape of step reads and writes, bound once and filled anew for every step; the logits
    are shared.
    """

    io: onnxruntime.IOBinding
    ids: NDArray[np.int64]  # (B, T)
    seqlens_k: NDArray[np.int32]  # (B,)
    total_length: NDArray[np.int32]  # (1,)
    logits: NDArray[np.float32]  # (B, V)


class OnnxEngine(CachedEngine):
    """precision: float32, int8 or int4 weights. threads: default 1 for small networks, else all cores."""

    def __init__(
        self,
        config: Qwen3Config,
        state: dict[str, NDArray[np.float32]],
        precision: str = "int8",
        threads: int | None = None,
        max_length: int | None = None,
    ) -> None:
        max_length = min(max_length or config.max_position_embeddings, config.max_position_embeddings)
        super().__init__(config.vocab_size, max_length)
        self.config, self.precision = config, precision
        self.threads = threads or (1 if matmul_parameters(config) < SMALL else os.cpu_count() or 1)
        self.cache_names = cache_names(config)
        self.cache = [self._empty(0, 0) for _ in self.cache_names]
        self.logits = np.empty(
            (0, self.vocab_size), np.float32
        )  # of all bindings: 256 of their own were 100 MB and more
        self.bindings: dict[tuple[int, int, int], Binding] = {}
        graph = build(config, state, precision)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        # Waiting threads would take the cores from the codecs and the server between two steps.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._weights = [onnxruntime.OrtValue.ortvalue_from_numpy(value) for value in graph.weights.values()]
        options.add_external_initializers(list(graph.weights), self._weights)
        self.session = onnxruntime.InferenceSession(
            graph.model().SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    @classmethod
    def from_folder(cls, folder: str | Path, **options: object) -> "OnnxEngine":
        """The engine for a Hugging Face folder; options as for the constructor."""
        config, state = read_state(folder)
        return cls(config, {name: value.numpy() for name, value in state.items()}, **options)  # type: ignore[arg-type]

    def _empty(self, num_rows: int, capacity: int) -> NDArray[np.float32]:
        return np.zeros(
            (num_rows, self.config.num_key_value_heads, capacity, self.config.head_dim), np.float32
        )

    def _grow(self, num_rows: int, capacity: int) -> None:
        self.bindings.clear()
        for number, old in enumerate(self.cache):
            new = self.cache[number] = self._empty(num_rows, capacity)
            for slot in self.slots.values():  # what is held; the rest was never written, or is forgotten
                new[slot.row, :, : slot.length] = old[slot.row, :, : slot.length]
        self.logits = np.empty((num_rows, self.vocab_size), np.float32)
        self.num_rows, self.capacity = num_rows, capacity

    def _copy_row(self, source: int, target: int, length: int) -> None:
        for array in self.cache:
            array[target, :, :length] = array[source, :, :length]

    def _step(self, pieces: list[Piece]) -> NDArray[np.float32]:
        logits = np.empty((len(pieces), self.vocab_size), np.float32)
        single = [n for n, piece in enumerate(pieces) if len(piece.ids) == 1]
        for run in runs([pieces[n].row for n in single]):
            chosen = [n for n in single if pieces[n].row in run]
            found = self._decode(run, [pieces[n] for n in chosen])
            logits[chosen] = found
        for n, piece in enumerate(pieces):
            if len(piece.ids) > 1:
                logits[n] = self._prefill(piece)
        return logits

    def _decode(self, run: range, pieces: list[Piece]) -> NDArray[np.float32]:
        """One id for each piece, all in rows `run`; other rows in between are fed an id that nobody will
        see.
        """
        binding = self._binding(run.start, len(run), 1)
        if len(pieces) < len(run):
            lengths = {slot.row: slot.length for slot in self.slots.values()}
            binding.ids[:] = 0
            binding.seqlens_k[:] = [lengths.get(row, 0) for row in run]
        places = [piece.row - run.start for piece in pieces]
        binding.ids[places, 0] = [piece.ids[0] for piece in pieces]
        binding.seqlens_k[places] = [piece.start for piece in pieces]
        binding.total_length[0] = binding.seqlens_k.max() + 1
        self.session.run_with_iobinding(binding.io)
        return binding.logits[places]

    def _prefill(self, piece: Piece) -> NDArray[np.float32]:
        """(V,) logits after a long piece of one row; the operator takes several ids only for one row at a
        time.
        """
        for first in range(0, len(piece.ids), PREFILL):
            ids = piece.ids[first : first + PREFILL]
            binding = self._binding(piece.row, 1, len(ids))
            binding.ids[0] = ids
            binding.total_length[0] = piece.start + first + len(ids)
            binding.seqlens_k[0] = binding.total_length[0] - 1
            self.session.run_with_iobinding(binding.io)
        return binding.logits[0]

    def _binding(self, row: int, num_rows: int, num_ids: int) -> Binding:
        key = row, num_rows, num_ids
        if key not in self.bindings:
            if len(self.bindings) >= MAX_BINDINGS:
                self.bindings.clear()
            self.bindings[key] = self._bind(*key)
        return self.bindings[key]

    def _bind(self, row: int, num_rows: int, num_ids: int) -> Binding:
        io = self.session.io_binding()
        binding = Binding(
            io,
            np.zeros((num_rows, num_ids), np.int64),
            np.zeros(num_rows, np.int32),
            np.zeros(1, np.int32),
            self.logits[:num_rows],
        )
        for name in ("ids", "seqlens_k", "total_length"):
            array = getattr(binding, name)
            io.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        io.bind_output("logits", "cpu", 0, np.float32, binding.logits.shape, binding.logits.ctypes.data)
        for name, array in zip(self.cache_names, self.cache):
            rows = array[row : row + num_rows]
            io.bind_input(f"past_{name}", "cpu", 0, np.float32, rows.shape, rows.ctypes.data)
            io.bind_output(f"present_{name}", "cpu", 0, np.float32, rows.shape, rows.ctypes.data)
        return binding


def runs(rows: list[int]) -> list[range]:
    """Ranges of neighbouring rows that cover `rows`; a gap of one row is bridged, because a step costs
    more.
    """
    found: list[range] = []
    for row in sorted(rows):
        if found and row - found[-1].stop <= 1:
            found[-1] = range(found[-1].start, row + 1)
        else:
            found.append(range(row, row + 1))
    return found
