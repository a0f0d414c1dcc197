"""Which weights of a network move: all, low-rank adapters beside its matrices, new layers between those that
stay, a prompt before every conversation, or the head.

With adapters and new layers the rows of the new ids are learned whole: nothing else says what a code means.
With a prompt or the head nothing else moves.
"""

from dataclasses import dataclass

from torch import Tensor

from unisono.core.errors import UserError
from unisono.model.grow import grow_depth, inserted, untied
from unisono.model.transformer import Qwen3
from unisono.train.lora import add_lora, merged
from unisono.train.prompt import add_prompt, without_prompt

WAYS = ("all", "lora", "layers", "prompt", "head")
ROWS_STAY = ("prompt", "head")  # ways in which the rows of the new ids stay as they are
LAYERS_SHARE = 5  # a new layer for so many old ones, where nobody says how many


@dataclass(frozen=True)
class RowRates:
    """How fast rows of the tables of ids learn: those before `first` at `below` times the rate, the others
    at `above` times.
    """

    first: int
    below: float = 1.0
    above: float = 1.0

    def _parted(self, table: Tensor, start: int) -> tuple[Tensor, Tensor]:
        """The rows of a table that begins with row `start`: those before `first`, and the others."""
        before = max(0, self.first - start)
        return table[:before], table[before:]

    def kept(self, table: Tensor, start: int = 0) -> tuple[Tensor | None, Tensor | None]:
        """What has to be remembered, before a step, of a table that begins with row `start`."""
        parts = zip(self._parted(table, start), (self.below, self.above))
        old, new = (part.detach().clone() if rate != 1 else None for part, rate in parts)
        return old, new

    def apply(self, table: Tensor, start: int, kept: tuple[Tensor | None, Tensor | None]) -> None:
        """Makes the step that the table has taken since longer or shorter."""
        for part, before, rate in zip(self._parted(table, start), kept, (self.below, self.above)):
            if before is not None:
                part.copy_(before.lerp(part, rate))


def arranged(
    model: Qwen3, way: str, *, num_hidden_layers: int, lora_rank: int, prompt: dict[int, int] | None = None
) -> Qwen3:
    """The model as it will be trained; only what moves has a gradient.

    `prompt`: id of a vector -> the id whose row it begins as, for the way of that name.
    """
    if way not in WAYS:
        raise UserError(f"trainable must be one of {', '.join(WAYS)}, got {way!r}")
    old = model.config.num_hidden_layers
    if way == "layers" and not num_hidden_layers:
        num_hidden_layers = old + -(-old // LAYERS_SHARE)
    if num_hidden_layers:
        model = grow_depth(model, num_hidden_layers)
    if way == "lora":
        add_lora(model, lora_rank, alpha=lora_rank)
    elif way == "layers":
        new = inserted(old, num_hidden_layers)
        if not new:
            raise UserError(
                f"trainable=layers needs more layers than the {old} that there are; raise num_hidden_layers"
            )
        model.requires_grad_(False)
        for number in new:
            model.layers[number].requires_grad_(True)
    elif way == "prompt":
        add_prompt(model, prompt or {})
    elif way == "head":
        model = untied(model).requires_grad_(False)
        assert model.lm_head is not None
        model.lm_head.requires_grad_(True)
    if way in ("lora", "layers"):
        for table in (model.embed_tokens, model.lm_head):
            if table is not None:
                table.requires_grad_(True)
    return model


def plain(model: Qwen3) -> Qwen3:
    """A copy without adapters and prompt that computes the same; the model itself where it has none."""
    return without_prompt(merged(model))
