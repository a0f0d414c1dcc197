"""Items of a conversation: created, found, deleted, kept, forgotten when it grows too long."""

# ruff: noqa: F401, F811

import base64
import io

import pytest
from conftest import Running, drawing
from live_client import spoken, talk, wire
from realtime_cases import MANUAL, brief, reply, run

from unisono.serve.realtime import conversation


def test_items_are_created_found_and_deleted(tiny_server: Running) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL)
            await talking.write("one", id="first")
            await talking.write("two", id="second")
            await talking.send(
                "conversation.item.create",
                previous_item_id="root",
                item={
                    "id": "zero",
                    "type": "message",
                    "role": "system",
                    "content": [{"type": "input_text", "text": "Be kind."}],
                },
            )
            await talking.send(
                "conversation.item.create",
                previous_item_id="first",
                item={
                    "id": "half",
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "yes"}],
                },
            )
            added = [await talking.until("conversation.item.added") for _ in range(4)]
            assert [event["previous_item_id"] for event in added] == [None, "first", None, "first"]
            for faulty, code in (
                ({"id": "first"}, "item_create_duplicate_item_id"),
                ({"role": "nobody"}, "invalid_value"),
                ({"content": "x"}, "invalid_type"),
                ({"content": [{"type": "output_text", "text": "x"}]}, "invalid_value"),
                ({"id": "x" * 33}, "invalid_value"),
            ):
                await talking.write("x", **faulty)
                assert (await talking.until("error"))["error"]["code"] == code
            await talking.send(
                "conversation.item.create",
                previous_item_id="nowhere",
                item={"type": "message", "role": "user", "content": []},
            )
            assert (await talking.until("error"))["error"]["code"] == "item_not_found"
            await talking.send("conversation.item.delete", item_id="half")
            assert (await talking.until("conversation.item.deleted"))["item_id"] == "half"
            for type, code in (("delete", "item_not_found"), ("retrieve", "item_retrieve_invalid_item_id")):
                await talking.send(f"conversation.item.{type}", item_id="half")
                assert (await talking.until("error"))["error"]["code"] == code
            await talking.send("conversation.item.retrieve", item_id="second")
            assert (await talking.until("conversation.item.retrieved"))["item"]["content"] == [
                {"type": "input_text", "text": "two"}
            ]
            assert (await reply(talking))["status"] in ("completed", "incomplete")

    run(main())


def test_sound_pictures_and_clips_in_items(tiny_server: Running) -> None:
    file = io.BytesIO()
    drawing().save(file, "PNG")
    picture = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL, output_modalities=["text"])
            sound = wire(spoken(after=0.1))
            await talking.send(
                "conversation.item.create",
                item={
                    "id": "all",
                    "type": "message",
                    "role": "user",
                    "content": [
                        {"type": "input_image", "image_url": picture},
                        {"type": "input_audio", "audio": sound},
                        {"type": "input_text", "text": "What is this?"},
                    ],
                },
            )
            await talking.until("conversation.item.done")
            await talking.send("response.create", response={"max_output_tokens": 5})
            details = (await talking.until("response.done"))["response"]["usage"]["input_token_details"]
            assert details["image_tokens"] == 16 and details["audio_tokens"] > 70
            await talking.send("conversation.item.retrieve", item_id="all")
            content = (await talking.until("conversation.item.retrieved"))["item"]["content"]
            assert content[0]["image_url"] == picture and abs(len(content[1]["audio"]) - len(sound)) < 100
            await talking.send(
                "conversation.item.create",
                item={
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_video", "frames": [picture] * 3}],
                },
            )
            await talking.until("conversation.item.done")
            for part in (
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
                {"type": "input_audio", "audio": "%"},
                {"type": "input_image"},
                {"type": "input_video", "frames": []},
            ):
                await talking.send(
                    "conversation.item.create", item={"type": "message", "role": "user", "content": [part]}
                )
                assert (await talking.until("error"))["error"]["type"] == "invalid_request_error"

    run(main())


def test_a_long_conversation_forgets_its_beginning(tiny_server: Running) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL, output_modalities=["text"])
            for _ in range(30):
                await talking.write("What colour is the sky? " * 8)
            used = (await reply(talking, max_output_tokens=3))["usage"]["input_tokens"]
            assert 300 < used < 768
            assert (await reply(talking, max_output_tokens=3))["usage"]["input_token_details"][
                "cached_tokens"
            ] >= used - 5
            await talking.update(truncation="disabled")
            for _ in range(10):
                await talking.write("What colour is the sky? " * 8)
            await talking.send("response.create", event_id="long")
            fault = (await talking.until("error"))["error"]
            assert fault["code"] == "context_length_exceeded" and fault["event_id"] == "long"
            await talking.update(truncation={"type": "retention_ratio", "retention_ratio": 0.3})
            assert (await reply(talking, max_output_tokens=3))["usage"]["input_tokens"] < 768 * 0.4

    run(main())


def test_no_conversation_grows_beyond_what_was_trained(
    tiny_server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny_server.service, "trained_length", 200)

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL, output_modalities=["text"])
            for _ in range(12):
                await talking.write("What colour is the sky? " * 2)
                used = (await reply(talking, max_output_tokens=3))["usage"]["input_tokens"]
                assert used <= 150
            assert used > 60
            alone = await reply(
                talking, "What colour is the sky? " * 30, max_output_tokens=3
            )  # one item may take more
            assert 150 < alone["usage"]["input_tokens"] < 768

    run(main())


def test_a_conversation_that_is_full_says_so_before_it_answers(
    tiny_server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "MAX_ITEMS", conversation.RESERVE)

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL)
            await talking.write("Hello.")
            await talking.send("response.create")
            assert (await talking.until("error"))["error"]["code"] == "too_many_items" and not talking.of(
                "response.created"
            )

    run(main())


def test_pictures_of_long_ago_are_not_kept(tiny_server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "MAX_KEPT", 1000)
    file = io.BytesIO()
    drawing().save(file, "PNG")
    url = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL)
            for number in range(3):
                await talking.send(
                    "conversation.item.create",
                    item={
                        "id": f"p{number}",
                        "type": "message",
                        "role": "user",
                        "content": [{"type": "input_image", "image_url": url + " " * 600}],
                    },
                )
            for number, is_kept in ((0, False), (2, True)):
                await talking.send("conversation.item.retrieve", item_id=f"p{number}")
                part = (await talking.until("conversation.item.retrieved"))["item"]["content"][0]
                assert bool(part.get("image_url")) == is_kept

    run(main())
