"""/v1/responses with OpenAI's own clients in strict mode: items, events in order, what is kept."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import openai
import pytest
from conftest import Connect, Running
from openai import OpenAI
from responses_cases import SKY, ask, png, short, strict_client


@pytest.fixture(scope="module")
def client(tiny_server: Running) -> Iterator[OpenAI]:
    with strict_client(tiny_server) as made:
        yield made


# ---- text ----


def test_a_response(client: OpenAI) -> None:
    answer = ask(
        client,
        instructions="Be kind.",
        metadata={"a": "b"},
        user="me",
        reasoning={"effort": "low"},
        include=[],
        temperature=0,
    )
    assert (
        answer.id.startswith("resp_")
        and answer.status == "incomplete"
        and answer.incomplete_details.reason == "max_output_tokens"
    )
    assert (
        answer.instructions == "Be kind."
        and answer.metadata == {"a": "b"}
        and answer.temperature == 0
        and answer.tools == []
    )
    message = answer.output[0]
    assert (
        message.type == "message"
        and message.role == "assistant"
        and message.status == "incomplete"
        and message.id.startswith("msg_")
    )
    assert (
        answer.output_text == message.content[0].text
        and answer.usage.output_tokens == 16
        and answer.error is None
    )
    assert (
        answer.usage.total_tokens == answer.usage.input_tokens + 16
        and answer.usage.input_tokens_details.cached_tokens >= 0
    )


def test_nulls_and_strangers_are_as_good_as_nothing(tiny_server: Running) -> None:
    names = (
        "instructions",
        "temperature",
        "top_p",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "metadata",
        "stream",
        "text",
        "store",
        "previous_response_id",
        "conversation",
        "include",
        "truncation",
        "background",
        "top_logprobs",
        "reasoning",
        "user",
        "prompt",
    )
    body = {
        "model": "unisono",
        "input": [{"role": "user", "content": SKY, "id": None, "status": None}],
        **dict.fromkeys(names),
        "max_output_tokens": 3,
    }
    answer = httpx.post(tiny_server.url + "/responses", json={**body, "nobody_knows": [1]})
    assert (
        answer.status_code == 200
        and answer.json()["object"] == "response"
        and answer.json()["tool_choice"] == "auto"
    )


def test_a_stream_in_order(client: OpenAI) -> None:
    events = list(ask(client, stream=True, temperature=0))
    assert short(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "incomplete",
    ]
    created, added, final = events[0].response, events[2].item, events[-1].response
    assert (
        created.status == "in_progress"
        and created.output == []
        and created.usage is None
        and added.content == []
    )
    deltas = [event for event in events if event.type == "response.output_text.delta"]
    text = "".join(event.delta for event in deltas)
    assert (
        text
        == events[-4].text
        == events[-3].part.text
        == events[-2].item.content[0].text
        == final.output_text
    )
    assert {event.item_id for event in deltas} == {added.id} and all(event.logprobs == [] for event in deltas)
    assert (
        final.id == created.id
        and final.usage.output_tokens == 16
        and final.output_text == ask(client, temperature=0).output_text
    )


def test_a_stream_on_the_wire(tiny_server: Running) -> None:
    body = {"model": "gpt-4o", "input": SKY, "stream": True, "max_output_tokens": 3}
    with httpx.stream("POST", tiny_server.url + "/responses", json=body) as answer:
        blocks = "".join(answer.iter_text()).strip().split("\n\n")
    for number, block in enumerate(blocks):
        head, data = block.split("\n")
        value = json.loads(data.removeprefix("data: "))
        assert head == f"event: {value['type']}" and value["sequence_number"] == number


def test_logprobs(client: OpenAI) -> None:
    part = (
        ask(client, include=["message.output_text.logprobs"], top_logprobs=2, temperature=0)
        .output[0]
        .content[0]
    )
    assert 10 < len(part.logprobs) <= 16 and all(len(one.top_logprobs) == 2 for one in part.logprobs)
    events = list(ask(client, include=["message.output_text.logprobs"], stream=True, temperature=0))
    assert sum(len(event.logprobs) for event in events if event.type == "response.output_text.delta") > 10


def test_items_of_all_kinds(client: OpenAI, media: Callable[[str], Path]) -> None:
    sound = base64.b64encode(media("sound.wav").read_bytes()).decode()
    picture = png()
    items = [
        {"role": "developer", "content": "Be kind."},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look"},
                {"type": "input_image", "image_url": picture, "detail": "auto"},
                {"type": "input_audio", "input_audio": {"data": sound, "format": "wav"}},
                {"type": "input_file", "file_data": picture, "filename": "a.png"},
            ],
        },
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "I see", "annotations": []}],
        },
        {"type": "function_call", "call_id": "call_1", "name": "go", "arguments": '{"x":1}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "there"},
        {
            "type": "image_generation_call",
            "id": "ig_1",
            "status": "completed",
            "result": picture.partition(",")[2],
        },
        {"role": "user", "content": SKY},
    ]
    answer = ask(client, input=items)
    listed = client.responses.input_items.list(answer.id, order="asc").data
    assert [item.type for item in listed] == [
        "message",
        "message",
        "message",
        "function_call",
        "function_call_output",
        "image_generation_call",
        "message",
    ]
    assert listed[2].id == "msg_1" and [part.type for part in listed[1].content][:2] == [
        "input_text",
        "input_image",
    ]
    assert listed[0].role == "developer" and answer.usage.input_tokens > 3 * 16 + 20
    tokens = client.responses.input_tokens.count(model="gpt-4o", input=items)
    assert tokens.input_tokens == answer.usage.input_tokens
    pages = client.responses.input_items.list(answer.id, order="desc", limit=3)
    assert [item.id for item in pages] == [item.id for item in reversed(listed)]


# ---- conversations that go on ----


def test_a_conversation_by_the_last_id(client: OpenAI) -> None:
    first = ask(client, input=SKY * 4, instructions="Be kind.", temperature=0)
    second = ask(client, previous_response_id=first.id, instructions="Be kind.", temperature=0)
    assert (
        second.usage.input_tokens > first.usage.input_tokens + 16 and second.previous_response_id == first.id
    )
    assert second.usage.input_tokens_details.cached_tokens >= first.usage.input_tokens
    other = ask(client, previous_response_id=first.id)
    assert other.usage.input_tokens < second.usage.input_tokens, "instructions are not carried over"
    listed = client.responses.input_items.list(second.id, order="asc").data
    assert [item.role for item in listed] == ["user", "assistant", "user"] and listed[1].id == first.output[
        0
    ].id
    client.responses.delete(first.id)
    assert [item.role for item in client.responses.input_items.list(second.id).data] == ["user"]
    assert (
        ask(client, previous_response_id=second.id).usage.input_tokens > second.usage.input_tokens
    )  # what was said is not lost


def test_what_is_kept_and_what_is_not(client: OpenAI) -> None:
    kept, other = ask(client), ask(client, store=False)
    assert (
        client.responses.retrieve(kept.id).to_dict() == kept.to_dict()
        and client.responses.cancel(kept.id).status == kept.status
    )
    client.responses.delete(kept.id)
    for id in (kept.id, other.id, "resp_none"):
        for call in (
            client.responses.retrieve,
            client.responses.delete,
            client.responses.cancel,
            client.responses.input_items.list,
        ):
            with pytest.raises(openai.NotFoundError):
                call(id)
        with pytest.raises(openai.BadRequestError) as raised:
            ask(client, previous_response_id=id)
        assert raised.value.code == "previous_response_not_found"


def test_items_by_reference(client: OpenAI) -> None:
    first = ask(client)
    answer = ask(
        client,
        input=[
            {"role": "user", "content": "x"},
            {"type": "item_reference", "id": first.output[0].id},
            {"role": "user", "content": "y"},
        ],
    )
    assert (
        client.responses.input_items.list(answer.id, order="asc").data[1].content[0].text == first.output_text
    )
    with pytest.raises(openai.BadRequestError, match="no item"):
        ask(client, input=[{"type": "item_reference", "id": "msg_none"}])


def test_keys_do_not_see_each_other(tiny_network: Path, connect: Connect) -> None:
    running = Running(tiny_network, keys=("sk-one", "sk-two"))
    try:
        one, two = connect(running, "sk-one"), connect(running, "sk-two")
        id = ask(one).id
        assert one.responses.retrieve(id).id == id
        with pytest.raises(openai.NotFoundError):
            two.responses.retrieve(id)
        with pytest.raises(openai.BadRequestError):
            ask(two, previous_response_id=id)
    finally:
        running.stop()


def test_a_conversation_that_outgrows_the_network(client: OpenAI) -> None:
    items = [{"role": "user", "content": SKY * 8}, {"role": "assistant", "content": "Blue."}] * 30
    with pytest.raises(openai.BadRequestError, match="too long"):
        ask(client, input=items)
    answer = ask(client, input=items, truncation="auto")
    assert 500 < answer.usage.input_tokens < 800 and answer.truncation == "auto" and answer.output
    assert ask(client, previous_response_id=answer.id, truncation="auto").usage.input_tokens < 800
