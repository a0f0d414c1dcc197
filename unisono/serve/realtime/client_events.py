"""What clients send in a realtime session: read, checked, done. Whatever is wrong becomes one `error` event;
the session goes on.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from unisono.serve.realtime.item_reader import ItemReader
from unisono.serve.realtime.items import Item
from unisono.serve.realtime.session import Live, State
from unisono.serve.realtime.settings import (
    Prepared,
    ResponseRequest,
    SessionRequest,
    default_session,
    merged,
    prepared,
)
from unisono.serve.wire.errors import ApiError
from unisono.serve.wire.media_in import from_base64
from unisono.serve.wire.requests import RequestBody, checked, json_object

Event = dict[str, Any]


class SessionUpdate(RequestBody):
    """session.update."""

    session: SessionRequest


class ResponseCreate(RequestBody):
    """response.create."""

    response: ResponseRequest | None = None


class Client:
    """Does what one client asks of a session. Several may ask of the same one: a call's own channel and its
    sidebands.
    """

    def __init__(self, live: Live, request: Any) -> None:
        self.live, self.items = live, ItemReader(live.service, request)
        self.handlers: dict[str, Callable[[Event], Awaitable[None]]] = {
            "session.update": self._update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "conversation.item.create": self._create,
            "conversation.item.retrieve": self._retrieve,
            "conversation.item.truncate": self._truncate,
            "conversation.item.delete": self._delete,
            "response.create": self._respond,
            "response.cancel": self._cancel,
            "output_audio_buffer.clear": self._clear_output,
        }

    async def receive(self, text: str | bytes | None) -> None:
        """Takes one frame."""
        if self.live.state is State.CLOSED:
            return
        event: Event = {}
        try:
            event = _parsed(text)
            kind = event.get("type")
            if not isinstance(kind, str) or kind not in self.handlers:
                raise ApiError(
                    f"There is no event of type {str(kind)[:60]!r}; choose from {', '.join(self.handlers)}.",
                    400,
                    "type",
                    "invalid_value",
                )
            async with self.live.lock:
                await self.handlers[kind](event)
        except Exception as error:
            id = event.get("event_id")
            self.live.events.fail(error, id if isinstance(id, str) else None)

    # ---- session ----

    async def _update(self, event: Event) -> None:
        live, session = self.live, self.live.settings.session
        wanted = checked(SessionUpdate, event).session
        kind = wanted.type or session["type"]
        if kind != session["type"]:
            if live.conversation.items:
                raise ApiError(
                    "session.type cannot be changed once something was said.",
                    400,
                    "session.type",
                    "invalid_value",
                )
            session = {**default_session(kind, session.get("model", "whisper-1")), "id": session["id"]}
        if not live.locked.model and wanted.model is not None:
            # openai-agents names it here, if its address did not
            session = {**session, "model": live.service.check_model(wanted.model)}
        new = merged(session, wanted, live.service, has_spoken=live.locked.voice)
        live.configure(await prepared(live.service, new))
        live.locked.model = live.locked.model or wanted.model is not None
        live.events.emit("session.updated", session=new)

    # ---- the person's sound ----

    async def _append(self, event: Event) -> None:
        if self.live.events.player:
            raise ApiError("The sound of a call comes on its track.", 400, "type", "invalid_value")
        if event.get("audio") != "":  # a piece of nothing changes nothing
            await self.live.ear.append(from_base64(event.get("audio"), "audio"))

    async def _commit(self, event: Event) -> None:
        await self.live.listening.take_buffer()

    async def _clear(self, event: Event) -> None:
        self.live.ear.clear()
        self.live.changed()
        self.live.events.emit("input_audio_buffer.cleared")

    async def _clear_output(self, event: Event) -> None:
        if not self.live.events.player:
            raise ApiError(
                "Only calls have an output audio buffer; over a WebSocket the client plays the sound itself.",
                400,
                "type",
                "invalid_value",
            )
        await self.live.interrupt("client_cancelled")

    # ---- items ----

    async def _create(self, event: Event) -> None:
        live, conversation = self.live, self.live.conversation
        self._not_transcribing()
        after, place = event.get("previous_item_id"), len(conversation.items)
        if after == "root":
            place = 0
        elif after is not None:
            place = conversation.items.index(conversation.find(after, "previous_item_id")) + 1
        given = event.get("item")
        if isinstance(given, dict) and any(item.id == given.get("id") for item in conversation.items):
            raise ApiError(
                f"There is an item {str(given.get('id'))[:40]!r} already.",
                400,
                "item.id",
                "item_create_duplicate_item_id",
            )  # LiveKit takes this for success, by its name
        item = await self.items.read(given, live.settings.session["audio"]["input"]["format"])
        conversation.add(item, place)
        conversation.done(item)

    async def _retrieve(self, event: Event) -> None:
        item = self.live.conversation.find(
            event.get("item_id"), code="item_retrieve_invalid_item_id"
        )  # Pipecat knows this name only
        # A channel of a call carries small messages only; its sound was never on it either.
        audio = None if self.live.events.player else self.live.settings.session["audio"]["input"]["format"]
        self.live.events.emit("conversation.item.retrieved", item=item.shown(audio=audio))

    async def _truncate(self, event: Event) -> None:
        live, end = self.live, event.get("audio_end_ms")
        item = live.conversation.find(event.get("item_id"))
        if item.voiced is None and live.active and item in live.active.output and not live.active.is_over:
            await live.active.interrupt(
                "client_cancelled"
            )  # openai-agents cuts what it stops playing, and cancels later or not at all
        if item.voiced is None:
            raise ApiError(
                "Only what was spoken by the assistant, to its end or to its interruption, can be truncated.",
                400,
                "item_id",
                "invalid_value",
            )
        if event.get("content_index", 0) != 0:
            raise ApiError(
                "content_index must be 0: that is where the sound is.", 400, "content_index", "invalid_value"
            )
        longest = item.voiced.length_ms
        if not isinstance(end, int) or isinstance(end, bool) or not 0 <= end <= longest + 1:
            raise ApiError(
                f"audio_end_ms must be a whole number from 0 to {longest:.0f}, the length of the sound.",
                400,
                "audio_end_ms",
                "invalid_value",
            )
        live.conversation.truncate(item, end)

    async def _delete(self, event: Event) -> None:
        live = self.live
        item = live.conversation.find(event.get("item_id"))
        if live.active and item in live.active.output and not live.active.is_over:
            await live.interrupt("client_cancelled")
        live.conversation.remove(item)

    # ---- responses ----

    def _not_transcribing(self) -> None:
        if self.live.settings.is_transcribing:
            raise ApiError(
                "This session only transcribes; open one without intent=transcription to converse.",
                400,
                "type",
                "invalid_value",
            )

    async def _respond(self, event: Event) -> None:
        live = self.live
        self._not_transcribing()
        wanted = checked(ResponseCreate, event).response or ResponseRequest.model_validate({})
        if wanted.conversation not in (None, "auto", "none", live.conversation.id):
            raise ApiError(
                "response.conversation must be auto or none.", 400, "response.conversation", "invalid_value"
            )
        settings: Prepared = live.settings
        if wanted.model_fields_set - {"conversation", "input", "metadata"}:
            settings = await prepared(live.service, merged(settings.session, wanted, live.service))
        items = (
            None
            if wanted.input is None
            else [
                await self._input(given, f"response.input.{number}")
                for number, given in enumerate(wanted.input)
            ]
        )
        await live.respond(settings, items, is_spare=wanted.conversation == "none", metadata=wanted.metadata)

    async def _input(self, given: object, param: str) -> Item:
        if isinstance(given, dict) and given.get("type") == "item_reference":
            return self.live.conversation.find(given.get("id"), f"{param}.id")
        return await self.items.read(given, self.live.settings.session["audio"]["input"]["format"], param)

    async def _cancel(self, event: Event) -> None:
        live, id = self.live, event.get("response_id")
        for response in (live.active, *live.spare):
            if (
                response
                and not response.is_over
                and (response.id == id or id is None and response is live.active)
            ):
                if response is live.active:
                    await live.interrupt("client_cancelled")
                else:
                    await response.interrupt("client_cancelled")
                return
        raise ApiError(
            "Cancellation failed: there is no such active response.",
            400,
            None if id is None else "response_id",
            "response_cancel_not_active",
        )


def _parsed(text: str | bytes | None) -> Event:
    """A frame -> an event; nothing that a parser swallows becomes more than an error event."""
    if not isinstance(text, str):
        raise ApiError("Events are JSON in text frames; this frame is binary.", 400, None, "invalid_event")
    return json_object(text, "The event")
