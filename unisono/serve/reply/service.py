"""What all endpoints share: messages in, a stream of words, sound and pictures out, all of it from the one
network.

Shapes: N samples. pcm is float32 mono in [-1, 1] at 16 kHz here; other rates and formats are wire/sound.py's.
"""

import sys
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from unisono.engine.grammar import Grammar, Rules
from unisono.engine.load import load_network
from unisono.engine.sample import SAMPLING, Sampler
from unisono.engine.session import Session
from unisono.model.hf import read_config
from unisono.moderation.moderator import Moderator
from unisono.moderation.states import States
from unisono.serve.reply.events import ReplySpec
from unisono.serve.reply.guards import Guards
from unisono.serve.reply.network import Network
from unisono.serve.reply.scheduler import Scheduler
from unisono.serve.reply.turn import Turn
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.model_names import is_answered
from unisono.tokens.message import Message, Text


class Service(Network):
    """A loaded network and the two threads that compute: the engine's and the codecs'."""

    def __init__(
        self,
        folder: str | Path,
        *,
        engine: str = "auto",
        precision: str = "int8",
        strict_models: bool = False,
        guards: Guards = Guards(),
        voices: Path | None = None,
    ) -> None:
        """voices: see Network."""
        folder = Path(folder)
        tokenizer, loaded = load_network(folder, engine=engine, precision=precision)
        super().__init__(folder, tokenizer, guards, voices)
        self.strict_models = strict_models
        self.scheduler = Scheduler(loaded)
        self.trained_length = int(
            read_config(self.folder).get("trained_length") or self.scheduler.engine.max_length
        )
        self.max_letters = self.tokenizer.max_letters(loaded.max_length)
        self.created = int(time.time())

    @cached_property
    def states(self) -> States:
        """The network's hidden states; loaded when first asked for, on the codecs' thread."""
        return States(self.folder)

    @cached_property
    def moderator(self) -> Moderator:
        """The classifier of harm, loaded like `states`; UserError where the network has none."""
        return Moderator.load(self.folder)

    def start(self) -> None:
        """Starts computing. The engine's thread must get the interpreter back soon after each step, not 5 ms
        later.
        """
        sys.setswitchinterval(2e-3)
        self.scheduler.start()

    def close(self) -> None:
        """Ends the threads."""
        self.scheduler.close()
        self.codecs.shutdown(cancel_futures=True)

    def check_model(self, name: object) -> str:
        """The name of a model that exists here, as it was given."""
        if not isinstance(name, str) or not is_answered(name, strict=self.strict_models):
            raise ApiError(
                f"The model {name!r} does not exist; GET /v1/models lists those that do.",
                404,
                "model",
                "model_not_found",
            )
        return name

    def usual_grammar(self, outputs: frozenset[str]) -> Grammar:
        """What a reply made of `outputs` may contain."""
        return Grammar(
            self.vocab,
            Rules.usual(
                outputs,
                self.tokenizer.image_codec.grid_size**2,
                self.tokenizer.audio_codec.frame_rate,
                words_of=self.tokenizer.words_of,
            ),
        )

    def prompt(self, messages: Sequence[Message], spec: ReplySpec, *, begin_reply: bool = True) -> list[int]:
        """The ids of a conversation up to where the reply begins, or up to its last message. UserError where
        it could never fit.
        """
        self.tokenizer.check_letters(messages, self.scheduler.engine.max_length)
        if "audio" in spec.outputs:
            voice = f"voice: {self.tokenizer.taught(self.voice(spec.voice))}"
            first = messages[0] if messages and messages[0].role == "system" else None
            said = f"{voice}\n{first.text}" if first and first.text else voice
            messages = [Message("system", [Text(said)]), *messages[1 if first else 0 :]]
        ids, _ = self.tokenizer.encode(messages, begin_reply=begin_reply, is_whole=False)
        return ids.tolist()

    async def reply(self, messages: Sequence[Message], spec: ReplySpec) -> Turn:
        """Begins a reply to a conversation. Where the caller is cancelled meanwhile, because the client left,
        no conversation stays open.
        """
        session, cached = await self.scheduler.open(self.prompt(messages, spec))
        return await self.reply_in(session, spec, cached, owns=True)

    async def reply_in(self, session: Session, spec: ReplySpec, cached: int = 0, owns: bool = False) -> Turn:
        """Begins a reply in a conversation that ends with <|assistant|>."""
        grammar = spec.grammar or self.usual_grammar(spec.outputs)
        try:
            generation = await self.scheduler.generate(
                session,
                grammar,
                spec.sampler or Sampler(SAMPLING),
                spec.max_ids,
                spec.trace or spec.top_logprobs is not None,
            )
        except BaseException:
            if owns:
                await self.scheduler.release(session)
            raise
        is_spoken = "audio" in spec.outputs
        watch = self.watch(self.voice(spec.voice)) if is_spoken else None
        return Turn(self, session, generation, spec, cached, owns, watch)


def service_of(request: Any) -> Service:
    """The service of a request or a socket."""
    found: Service = request.app.state.server.service
    return found
