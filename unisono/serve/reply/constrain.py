"""A reply whose text or calls have to have a form, within the ids that are left."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unisono.engine.grammar import CLOSES, END, Grammar, Rules
from unisono.engine.sample import Sampler
from unisono.serve.reply.document import UNLIMITED, Document, Form
from unisono.tokens.vocab import Vocabulary

MAX_CALLS = 8  # of one reply
MAX_TRIES = 8  # ids that the network may choose in vain before it gets the one that is sure
BEGIN_CALL = "<|begin_call|>"


class Constrained(Grammar):
    """The usual grammar, whose text and calls have to have a form.

    text: what is written has this form, from the first id to the end. call: each call has it. Both end within
    the ids that `choose` is told are left; `need` is how many the shortest reply takes.
    """

    def __init__(
        self,
        vocab: Vocabulary,
        rules: Rules,
        *,
        text: Form | None = None,
        call: Form | None = None,
        must_call: bool = False,
        max_calls: int = MAX_CALLS,
    ) -> None:
        super().__init__(vocab, rules)
        self.call, self.must_call, self.max_calls = call, must_call, max_calls
        self.in_text = Document(text, 1) if text else None  # <|end|>
        self.in_call: Document | None = None
        self.num_calls = 0

    @property
    def call_need(self) -> int:
        """Ids of the shortest call, with its marks and the end of the reply."""
        return len(self.call.shortest) + 3 if self.call else 0

    @property
    def need(self) -> int:
        """How many ids the shortest reply still takes, as far as its text or call must have a form."""
        if self.must_call:
            return self.call_need
        return self.in_text.need if self.in_text else 0

    def mask(self, left: int | None = None) -> NDArray[np.bool_]:
        """(V,) what the rules and the form both allow where `left` ids are left; None: enough."""
        mask, document = super().mask(), self._document()
        begin = self.vocab.id(BEGIN_CALL)
        if left is not None and left < self.call_need and mask[begin]:
            mask = mask.copy()
            mask[begin] = False
        if document is None or "text" not in self.allowed():  # no text may follow here anyway
            return mask
        mask, size = mask.copy(), self.vocab.text_size
        form, is_whole = document.mask(left)
        mask[:size] &= form
        mask[self.vocab.id(CLOSES["call"] if self.mode == "call" else END)] = is_whole
        return mask

    def choose(self, logits: NDArray[np.float32], sampler: Sampler, left: int | None = None) -> int:
        """(V,) logits -> the next id, after which the form can still be ended within what is left."""
        mask, document = self.mask(left), self._document()
        if document is None or not mask[0 : self.vocab.text_size].any():
            return sampler.choose(logits, mask, self.modality)
        mask = mask.copy()
        for _ in range(MAX_TRIES):
            id = sampler.choose(logits, mask, self.modality)
            is_mark = self.vocab.modality(id) != "text"
            if is_mark or document.admits(id, UNLIMITED if left is None else left):
                return id
            mask[id] = False
            if not mask.any():
                break
        if document.sure is None:
            return self.vocab.id(CLOSES["call"] if self.mode == "call" else END)
        document.admits(document.sure, UNLIMITED if left is None else left)
        return document.sure

    def _document(self) -> Document | None:
        return self.in_call if self.mode == "call" else self.in_text if self.mode == "text" else None

    def _text_level(self) -> set[str]:
        pieces = super()._text_level()
        if self.must_call and not self.num_calls:
            return {BEGIN_CALL}
        if self.num_calls:  # calls come last: what is said about their results is the next reply
            pieces = {BEGIN_CALL, END}
        if (
            self.num_calls >= self.max_calls
            or self.in_text
            and self.num_text_ids
            or self.rules.force_audio
            and self.num_unspoken
        ):
            pieces.discard(BEGIN_CALL)
        return pieces if self.in_text is None else pieces & {"text", BEGIN_CALL, END}

    def advance(self, id: int) -> None:
        """Takes the next id. ValueError for one that may not follow here; an id from `choose` always may."""
        document = self._document()
        if document is not None and document.next is not None and document.next.id == id:
            self._follow(id)
        else:
            super().advance(id)

    def _follow(self, id: int) -> None:
        before = self.mode
        super()._follow(id)
        if before != "call" and self.mode == "call":
            self.in_call = Document(self.call, 2) if self.call else None  # <|end_call|><|end|>
        elif before == "call" and self.mode == "text":
            self.num_calls += 1
        elif before == self.mode and not self.done and (document := self._document()):
            document.take(id)

    def copy(self) -> "Constrained":
        """An independent state at the same place; llguidance's is copied with it."""
        other: Any = super().copy()
        other.in_text = self.in_text and self.in_text.copy()
        other.in_call = self.in_call and self.in_call.copy()
        return other
