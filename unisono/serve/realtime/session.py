"""One realtime session: its settings, its conversation, who listens and who speaks.

What clients send is read in client_events.py; what is told to them goes to `events`. While a response of the
conversation is being made, its reply owns the engine's sequence; what a person says meanwhile is kept, and
handed over afterwards.
"""

import asyncio
import enum
import logging
from collections.abc import Coroutine, Sequence
from typing import Any

from unisono.serve.realtime.account import Account
from unisono.serve.realtime.context import Context
from unisono.serve.realtime.conversation import RESERVE, Conversation
from unisono.serve.realtime.events import Events
from unisono.serve.realtime.items import Item
from unisono.serve.realtime.listening import Listening, Times
from unisono.serve.realtime.response import Response
from unisono.serve.realtime.settings import Locked, Prepared, SessionSettings, prepared
from unisono.serve.reply.service import Service
from unisono.serve.wire.access import Limits
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.metrics import SESSIONS

log = logging.getLogger("unisono.serve")
MAX_SPARE = 8


class State(enum.Enum):
    """What a session does."""

    NEW = "it was not opened yet"
    READY = "no response of the conversation is being made"
    RESPONDING = "one is being made"
    OWING = "one is being made, and a turn that ended meanwhile is answered next"
    CLOSED = "nothing more is made or told"


class Live:
    """A session from `open` to `close`."""

    def __init__(
        self, service: Service, session: SessionSettings, *, key: str, limits: Limits, has_model: bool = True
    ) -> None:
        """`key` is whose limits count. `has_model`: somebody has named one, so that it cannot change."""
        self.service, self.first_session = service, session
        self.settings: Prepared
        self.locked = Locked(model=has_model)
        self.state = State.NEW
        self.account, self.events = Account(key, limits), Events()
        self.context = Context(service)
        self.conversation = Conversation(service, self.events, self.changed)
        self.listening = Listening(self)
        self.ear = self.listening.ear
        self.active: Response | None = None  # in the states RESPONDING and OWING
        self.owed: Times | None = None  # in the state OWING
        self.spare: set[Response] = set()  # beside the conversation
        self.tasks: set[asyncio.Task[None]] = set()
        self.idle: asyncio.TimerHandle | None = None
        self.lock = asyncio.Lock()  # one thing after the other, whoever asks for it

    # ---- its life ----

    async def open(self) -> None:
        """Begins; ApiError where the settings do not fit."""
        self.configure(await prepared(self.service, self.first_session))
        self.state = State.READY
        SESSIONS.inc()

    def configure(self, settings: Prepared) -> None:
        """Takes other settings."""
        self.settings = settings
        self.ear.configure(settings.session["audio"]["input"])
        self.changed()

    def changed(self) -> None:
        """The engine's sequence no longer holds what the conversation is, up to what a person is saying."""
        self.context.turn = None

    async def close(self) -> None:
        """Ends everything; nothing of it is kept."""
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self.events.close()
        SESSIONS.dec()
        self.wait_no_more()
        responses = (self.active, *self.spare)
        running = [*self.tasks, *(one.task for one in responses if one and one.task)]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        try:
            await self.context.close()
        except Exception as error:  # the engine has stopped and took everything with it
            log.debug("context not closed", exc_info=error)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Does something beside."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # ---- speaking ----

    async def respond(
        self,
        settings: Prepared | None = None,
        items: Sequence[Item] | None = None,
        *,
        is_spare: bool = False,
        metadata: Any = None,
        times: Times | None = None,
    ) -> None:
        """Begins a response; ApiError where none can be made.

        `settings` and `items` stand in place of the session's and the conversation's. `is_spare`: not part of
        the conversation. `times`: of the turn that it answers.
        """
        if is_spare:
            self._check_spare()
        else:
            await self._wait_for_turn()
            self.conversation.check_room(RESERVE)
        self.account.check()
        self.wait_no_more()
        settings = settings or self.settings
        ids = self.context.prompt(
            settings,
            self.conversation.settled() if items is None else items,
            begin_reply=True,
            is_own=items is None,
            is_lasting=items is None and settings is self.settings and not is_spare,
        )
        response = Response(
            self, settings, ids, is_spare=is_spare, is_apart=items is not None, metadata=metadata
        )
        if is_spare:
            self.spare.add(response)
        else:
            self.state, self.active = State.RESPONDING, response
            self.locked.voice = self.locked.voice or settings.is_spoken
        response.begin(times)

    def _check_spare(self) -> None:
        if len(self.spare) >= MAX_SPARE:
            raise ApiError(
                f"At most {MAX_SPARE} responses beside the conversation at once.",
                429,
                None,
                "rate_limit_exceeded",
            )

    async def _wait_for_turn(self) -> None:
        """Waits until the last response has given the engine's sequence back; ApiError while it is made."""
        while active := self.active:
            if not active.is_over or active.task is asyncio.current_task():
                raise ApiError(
                    "Conversation already has an active response; wait for response.done, or cancel it.",
                    400,
                    None,
                    "conversation_already_has_active_response",
                )
            assert active.task
            await asyncio.gather(active.task, return_exceptions=True)

    async def answer(self, times: Times) -> None:
        """Answers a turn, now or when the response that is being made is over."""
        if self.active and not self.active.is_over:
            self.state, self.owed = State.OWING, times
            return
        try:
            await self.respond(times=times)
        except ApiError as error:
            self.events.fail(error)

    async def response_ended(self, response: Response) -> None:
        """A response gave the engine's sequence back."""
        self.spare.discard(response)
        if self.active is not response:
            return
        self.active = None
        self.changed()
        if not response.is_apart and self.context.session:
            self.context.keep(self.context.session.length)
        owed, self.owed = self.owed, None
        if self.state is State.CLOSED:
            return
        self.state = State.READY
        if owed is not None:
            await self.answer(owed)
        elif response.status == "completed":
            self._wait_for_words(response)

    async def interrupt(self, reason: str) -> None:
        """Cuts off the reply that is made or still played; the context keeps what was heard."""
        player = self.events.player
        heard = player.clear() if player else []
        for response_id in dict.fromkeys(response_id for response_id, _, _ in heard):
            self.events.emit("output_audio_buffer.cleared", response_id=response_id)
        if self.active and not self.active.is_over:
            self.events.forget(self.active.id)
            await self.active.interrupt(reason)
        played = {item_id: heard_ms for _, item_id, heard_ms in heard}
        for item in self.conversation.items:
            if item.voiced and item.id in played:
                self.conversation.truncate(item, min(played[item.id], item.voiced.length_ms))

    # ---- silence ----

    def _wait_for_words(self, response: Response) -> None:
        """idle_timeout_ms: if nobody says anything after the reply was heard, the network goes on."""
        limit_ms = self.listening.detection.get("idle_timeout_ms")
        if limit_ms and not self.ear.is_hearing:
            playing_s = response.voice.left_s if response.voice else 0.0
            self.idle = asyncio.get_running_loop().call_later(
                max(0.0, playing_s) + limit_ms / 1000, lambda: self.spawn(self._go_on(limit_ms))
            )

    def wait_no_more(self) -> None:
        """The silence is over, or nobody waits for its end."""
        if self.idle:
            self.idle.cancel()
            self.idle = None

    async def _go_on(self, limit_ms: int) -> None:
        async with self.lock:
            if self.ear.is_hearing or self.active:
                return
            try:
                await self.listening.time_out(limit_ms)
                await self.respond()
            except ApiError as error:
                self.events.fail(error)
