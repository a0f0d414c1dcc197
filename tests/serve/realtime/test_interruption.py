"""Replies that are cut off: by a person who speaks, by the client, before they began and after they ended."""

# ruff: noqa: F401, F811

import asyncio
import base64

from conftest import Running
from live_client import spoken, talk
from realtime_cases import AFTER_SOUND, DELTAS, MANUAL, QUICK, brief, reply, run, slow, wordy

from unisono.serve.realtime.context import as_ids
from unisono.serve.realtime.items import Item, Voiced


def test_a_person_interrupts(tiny_server: Running, slow: None) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**{**QUICK, "max_output_tokens": "inf"})
            await talking.write("Say: good morning.")
            await talking.send("response.create")
            await talking.until("response.output_audio.delta")
            await asyncio.sleep(0.1)
            await talking.say(spoken())
            done = await talking.until("response.done")
            response = done["response"]
            assert response["status"] == "cancelled" and response["status_details"] == {
                "type": "cancelled",
                "reason": "turn_detected",
            }
            types = talking.types()
            start, end = types.index("input_audio_buffer.speech_started"), types.index("response.done")
            assert (
                types[start + 1 : end + 1] == AFTER_SOUND and response["output"][0]["status"] == "incomplete"
            )
            await talking.until("response.done")
            assert all(
                event["response_id"] != response["id"]
                for event in talking.events[end:]
                if event["type"] in DELTAS
            )
            item = response["output"][0]["id"]
            await talking.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=30)
            await talking.until("conversation.item.truncated")

    run(main())


def test_what_was_not_heard_is_forgotten(tiny_server: Running, wordy: None) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL)
            response = await reply(talking, max_output_tokens=150)
            item = response["output"][0]
            length = sum(len(base64.b64decode(event["delta"])) for event in talking.of(DELTAS[0])) // 48
            before = (await reply(talking, "And?", max_output_tokens=1))["usage"]["input_tokens"]
            await talking.send(
                "conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=length + 500
            )
            assert (await talking.until("error"))["error"]["param"] == "audio_end_ms"
            await talking.send(
                "conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=length // 2
            )
            assert (await talking.until("conversation.item.truncated"))["audio_end_ms"] == length // 2
            await talking.send("conversation.item.retrieve", item_id=item["id"])
            left = (await talking.until("conversation.item.retrieved"))["item"]["content"][0]["transcript"]
            assert len(left) <= len(item["content"][0]["transcript"])
            after = (await reply(talking, "And?", max_output_tokens=1))["usage"]["input_tokens"]
            assert after < before
            await talking.send(
                "conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=0
            )
            await talking.until("conversation.item.truncated")
            await talking.send("conversation.item.retrieve", item_id=item["id"])
            assert (await talking.until("conversation.item.retrieved"))["item"]["content"][0][
                "transcript"
            ] == ""

    run(main())


def test_cancelling(tiny_server: Running, slow: None) -> None:
    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL)
            await talking.send("response.cancel", event_id="c1")
            assert (await talking.until("error"))["error"]["code"] == "response_cancel_not_active"
            await talking.write("Say: good morning.")
            await talking.send("response.create")
            await talking.until("response.output_audio_transcript.delta")
            await talking.send("response.create", event_id="c2")
            fault = (await talking.until("error"))["error"]
            assert fault["code"] == "conversation_already_has_active_response" and fault["event_id"] == "c2"
            await talking.send("response.cancel")
            done = await talking.until("response.done")
            assert done["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
            await talking.send("response.create", response={"max_output_tokens": 5})  # at once: no error
            assert (await talking.until("response.done"))["response"]["status_details"][
                "reason"
            ] == "max_output_tokens"

    run(main())


def test_cancelling_before_it_began(tiny_server: Running) -> None:
    """Both events in one piece of the network, so that the response's task has not run yet."""

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL)
            await talking.write("Say: good morning.")
            for _ in range(5):
                await asyncio.gather(talking.send("response.create"), talking.send("response.cancel"))
                await talking.until("response.done")
            await talking.send("response.create", response={"max_output_tokens": 5})
            done = await talking.until(
                "response.done", lambda event: event["response"]["status"] != "cancelled"
            )
            assert done["response"]["status_details"]["reason"] == "max_output_tokens"

    run(main())


def test_cutting_a_reply_in_the_making_ends_it(tiny_server: Running, slow: None) -> None:
    """openai-agents cuts what it no longer plays, without cancelling it first."""

    async def main() -> None:
        async with talk(tiny_server) as talking:
            await talking.update(**MANUAL)
            await talking.write("Say: good morning.")
            await talking.send("response.create")
            item = (await talking.until("response.output_audio.delta"))["item_id"]
            await talking.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=20)
            assert (await talking.until("response.done"))["response"]["status"] == "cancelled"
            assert (await talking.until("conversation.item.truncated"))["audio_end_ms"] == 20

    run(main())


def test_of_an_answer_that_was_cut_short_the_thought_is_forgotten(tiny_server: Running) -> None:
    vocab = tiny_server.service.vocab
    word = [5, vocab.id("<|begin_audio|>"), *as_ids([1, 2, 3], vocab), vocab.id("<|end_audio|>")]
    thought = [vocab.id("<|begin_thought|>"), 5, 6, vocab.id("<|end_thought|>")]
    said = [*thought, *word, *word]
    item = Item("item_1", "message", "assistant", voiced=Voiced(said, num_frames=6, frame_ms=20))
    item.hear(vocab, 120)
    assert item.body == said
    item.hear(vocab, 60)
    assert item.body == word
