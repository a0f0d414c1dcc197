"""Several replies to one conversation, which is computed once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, TypeVar

from unisono.engine.session import Session
from unisono.serve.reply.plan import Plan
from unisono.serve.reply.scheduler import PREFILL_IDS
from unisono.serve.reply.service import Service
from unisono.serve.reply.turn import Turn

Result = TypeVar("Result")
AT_ONCE = 8  # replies of one request that are made together
END = object()


class Choices:
    """Use it as `async with Choices(service, plan, n) as choices`, then `async with choices.turn(number) as
    turn`.
    """

    def __init__(self, service: Service, plan: Plan, count: int) -> None:
        self.service, self.plan, self.count = service, plan, count
        self.base: Session | None = None  # the conversation, fed, where several replies follow it
        self.length, self.cached = 0, 0
        self.places = asyncio.Semaphore(AT_ONCE)

    async def __aenter__(self) -> "Choices":
        if self.count > 1:
            ids = self.service.prompt(self.plan.messages, self.plan.spec(self.service))
            self.base, self.cached = await self.service.scheduler.open(ids)
            self.length = self.base.length
            try:
                while await self.service.scheduler.call(self._feed):
                    pass
            except BaseException:
                await asyncio.shield(self._release(self.base))
                raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.base is not None:
            await asyncio.shield(self._release(self.base))

    @contextlib.asynccontextmanager
    async def turn(self, number: int) -> AsyncIterator[Turn]:
        """Begins reply `number`; leaving the `async with` block ends it."""
        spec = self.plan.spec(self.service, number)
        if self.base is None:
            turn = await self.service.reply(self.plan.messages, spec)
            try:
                yield turn
            finally:
                await asyncio.shield(turn.end())
            return
        async with self.places:
            turn = await self._begin(spec)
            try:
                yield turn
            finally:
                await asyncio.shield(self._end(turn))

    async def _begin(self, spec: Any) -> Turn:
        session = await self.service.scheduler.call(self._fork, undo=Session.close)
        try:
            return await self.service.reply_in(session, spec, self.cached)
        except BaseException:
            await self.service.scheduler.call(session.close)
            raise

    async def _end(self, turn: Turn) -> None:
        try:
            await turn.end()
        finally:
            await self.service.scheduler.call(turn.session.close)

    async def _release(self, session: Session) -> None:
        await self.service.scheduler.release(session)

    # ---- on the engine's thread ----

    def _feed(self) -> bool:
        """Feeds one piece of the prompt, small enough that others wait little -> whether more is left."""
        assert self.base is not None
        if pending := self.base.pending[:PREFILL_IDS]:
            self.base.accept(self.base.engine.feed([(self.base.handle, pending)])[0], len(pending))
        return bool(self.base.pending)

    def _fork(self) -> Session:
        assert self.base is not None
        return self.base.fork()


async def together(works: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Runs all of them and returns their results in order; the first error cancels the rest."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def merged(streams: Sequence[AsyncIterator[Result]]) -> AsyncIterator[Result]:
    """Yields what several streams yield, in the order in which it comes; the first error cancels them all."""
    queue: asyncio.Queue[Any] = asyncio.Queue(64)

    async def read(stream: AsyncIterator[Result]) -> None:
        try:
            async with contextlib.aclosing(stream) as items:  # type: ignore[type-var]
                async for item in items:
                    await queue.put(item)
            await queue.put(END)
        except Exception as error:
            await queue.put(error)

    tasks = [asyncio.ensure_future(read(stream)) for stream in streams]
    try:
        left = len(tasks)
        while left:
            item = await queue.get()
            if isinstance(item, Exception):
                raise item
            if item is END:
                left -= 1
            else:
                yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.shield(asyncio.gather(*tasks, return_exceptions=True))
