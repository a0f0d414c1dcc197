"""Requests -> steps of the one engine: continuous batching, a prefix cache, and everything else that touches
the engine.

One thread owns the engine. Replies join and leave between two steps; a long prompt is fed in pieces so that
nobody who is already speaking waits for it. Callers live in an asyncio loop and are told of new ids there.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from unisono.core.errors import StoppedError, UserError
from unisono.engine.cache import too_long
from unisono.engine.engine import Engine
from unisono.engine.grammar import Grammar
from unisono.engine.sample import Sampler
from unisono.engine.session import ReplyState, Session, common

Result = TypeVar("Result")
PREFILL_IDS = 256  # of waiting prompts fed in one step: about as long as 16 streams take for one id each
MAX_IDLE = 8  # conversations that are kept for their prefix
MIN_SHARED = 8  # ids; a shorter common beginning is not worth a copy
NUM_PROMPT = {
    False: 4,
    True: 32,
}  # ids of a reply, written or spoken, that are told at once: until there is a first word or sound,
# its reader waits for nothing else
# later ones are told together, this long at most after they came: waking the callers' loop for each costs
TELL_S = 0.004
# as much as the id itself
END = object()


@dataclass(eq=False)
class Generation:
    """A reply in the making, seen from the asyncio side: iterate it for (id, logits row or None)."""

    scheduler: "Scheduler"
    session: Session
    reply: ReplyState
    wants_logits: bool
    loop: asyncio.AbstractEventLoop
    queue: asyncio.Queue = field(default_factory=asyncio.Queue)
    error: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[tuple[int, NDArray[np.float32] | None]]:
        while (item := await self.queue.get()) is not END:
            yield item
        if self.error:
            raise self.error

    async def stop(self) -> None:
        """Interrupts the reply, if it still runs."""

        def interrupt() -> None:
            self.scheduler.leave(self)
            if not self.reply.done:
                self.reply.interrupt()

        await self.scheduler.call(interrupt)


class Scheduler:
    """Runs from `start` to `close`."""

    def __init__(self, engine: Engine, max_replies: int = 64) -> None:
        self.engine, self.max_replies = engine, max_replies
        self.jobs: deque[tuple[Callable[[], Any], Future]] = deque()
        self.running: list[Generation] = []
        self.idle: list[Session] = []  # the one that was used last comes last
        self.waiting: deque[Generation] = deque()
        self.awake = threading.Condition()
        self.is_open = False
        self.num_ids = 0  # generated since the start
        self.news: dict[
            asyncio.AbstractEventLoop, list[tuple[asyncio.Queue, Any]]
        ] = {}  # that nobody was told yet
        self.told_at = 0.0
        self.thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Starts the engine's thread."""
        self.is_open = True
        self.thread.start()

    def close(self) -> None:
        """Ends the thread; replies that still run end with an error."""
        with self.awake:
            self.is_open = False
            self.awake.notify()
        self.thread.join()

    # ---- called in the asyncio loop ----

    async def call(
        self, function: Callable[..., Result], *arguments: Any, undo: Callable[[Result], object] | None = None
    ) -> Result:
        """Runs `function` on the engine's thread between two steps and returns its result. Where the caller
        is cancelled meanwhile, the function still runs, and then `undo` is called with its result.
        """
        future = self._post(lambda: function(*arguments))
        try:
            return await asyncio.shield(asyncio.wrap_future(future))
        except asyncio.CancelledError:
            if undo is not None and self.is_open:
                self._post(lambda: undo(future.result()))
            raise

    def _post(self, job: Callable[[], Result]) -> "Future[Result]":
        future: Future = Future()
        with self.awake:
            if not self.is_open:
                raise StoppedError("the engine has stopped; try again when the server is back")
            self.jobs.append((job, future))
            self.awake.notify()
        return future

    async def open(self, ids: Sequence[int]) -> tuple[Session, int]:
        """A conversation that holds `ids`, and how many of them some earlier one had already computed."""
        return await self.call(self._open, list(ids), undo=lambda made: self._release(made[0]))

    async def release(self, session: Session) -> None:
        """Gives a conversation back; it is kept for a while for those that begin alike."""
        await self.call(self._release, session)

    async def generate(
        self,
        session: Session,
        grammar: Grammar,
        sampler: Sampler,
        max_ids: int | None = None,
        wants_logits: bool = False,
    ) -> Generation:
        """Begins a reply."""
        loop = asyncio.get_running_loop()

        def begin() -> Generation:
            made = Generation(self, session, session.begin(grammar, sampler, max_ids), wants_logits, loop)
            if made.reply.done:
                loop.call_soon_threadsafe(made.queue.put_nowait, END)
            else:
                self.waiting.append(made)
            return made

        def abandon(made: Generation) -> None:
            self.leave(made)
            if not made.reply.done:
                made.reply.interrupt()

        return await self.call(begin, undo=abandon)

    # ---- called on the engine's thread ----

    def leave(self, generation: Generation) -> None:
        """Takes a reply out of the batch; its reader sees what was made, and the end."""
        if generation in self.running:
            self.running.remove(generation)
        elif generation in self.waiting:
            self.waiting.remove(generation)
        else:
            return
        self.news.setdefault(generation.loop, []).append((generation.queue, END))
        self._tell_all()

    def _tell_all(self) -> None:
        news, self.news, self.told_at = self.news, {}, time.perf_counter()
        for loop, items in news.items():
            loop.call_soon_threadsafe(_tell, items)

    def _open(self, ids: list[int]) -> tuple[Session, int]:
        if len(ids) > self.engine.max_length:
            raise too_long(len(ids), self.engine.max_length, self.engine.max_length)
        shared = [common(session.ids, ids) for session in self.idle]
        best = max(range(len(shared)), key=shared.__getitem__, default=None)
        if best is None or shared[best] < MIN_SHARED:
            session, num_shared = Session(self.engine), 0
        elif shared[best] == len(self.idle[best].ids):
            session, num_shared = self.idle.pop(best), shared[best]
        else:
            session, num_shared = self.idle[best].fork(), shared[best]
        computed = min(num_shared, session.num_fed)
        try:
            session.replace(ids)
        except UserError:
            session.close()
            raise
        return session, computed

    def _release(self, session: Session) -> None:
        self.idle.append(session)
        while len(self.idle) > MAX_IDLE:
            self.idle.pop(0).close()

    def _run(self) -> None:
        while True:
            with self.awake:
                while self.is_open and not (self.jobs or self.running or self.waiting):
                    self.awake.wait()
                if not self.is_open:
                    break
                jobs, self.jobs = self.jobs, deque()
            for function, future in jobs:
                _settle(function, future)
            while self.waiting and len(self.running) < self.max_replies:
                self.running.append(self.waiting.popleft())
            if self.running:
                self._step()
        for generation in [*self.running, *self.waiting]:
            generation.error = StoppedError("the server is stopping; try again when it is back")
            self.leave(generation)
        for _, future in self.jobs:
            future.set_exception(StoppedError("the server is stopping; try again when it is back"))

    def _step(self) -> None:
        """One id for every reply whose prompt is fed."""
        try:
            ready = self._feed([generation for generation in self.running])
            told = [self._advance(generation) for generation in ready]
        except Exception as error:  # the engine itself failed: nobody in this batch can go on
            for generation in list(self.running):
                generation.error = error
                self.leave(generation)
            return
        for generation, items in zip(ready, told):
            self.news.setdefault(generation.loop, []).extend((generation.queue, item) for item in items)
        is_awaited = any(
            items[-1] is END
            or generation.reply.num_ids <= NUM_PROMPT["audio" in generation.reply.grammar.rules.outputs]
            for generation, items in zip(ready, told)
        )
        if is_awaited or time.perf_counter() - self.told_at > TELL_S:
            self._tell_all()

    def _feed(self, generations: list[Generation]) -> list[Generation]:
        """Feeds pending prompts, long ones no further than the budget -> the replies that can take a step."""
        budget, feeds, fed = PREFILL_IDS, [], []
        for generation in generations:
            pending = generation.session.pending
            if len(pending) > 1:
                pending, budget = pending[:budget], budget - min(len(pending), budget)
            if pending:
                feeds.append((generation.session.handle, pending))
                fed.append((generation.session, len(pending)))
        if feeds:
            for (session, count), row in zip(fed, self.engine.feed(feeds)):
                session.accept(row, count)
        return [generation for generation in generations if not generation.session.pending]

    def _advance(self, generation: Generation) -> list[Any]:
        """Takes one id of a reply -> what its reader is told."""
        try:
            logits = generation.session.logits()
            id = generation.reply.step()
        except (UserError, ValueError) as error:
            generation.error = error
            self.running.remove(generation)
            return [END]
        self.num_ids += 1
        news: list[Any] = [(id, logits if generation.wants_logits else None)]
        if generation.reply.done:
            self.running.remove(generation)
            news.append(END)
        return news


def _settle(function: Callable[[], Any], future: Future) -> None:
    try:
        future.set_result(function())
    except BaseException as error:
        future.set_exception(error)


def _tell(news: list[tuple[asyncio.Queue, Any]]) -> None:
    for queue, item in news:
        queue.put_nowait(item)
