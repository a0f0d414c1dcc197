"""/v1/chat/completions with OpenAI's own clients in strict mode: choices, streams, stops, probabilities."""

import json
import time

import httpx
import pytest
from chat_client import SKY, ask, wait_until
from conftest import Running
from openai import OpenAI


def test_no_reply_is_longer_than_what_was_trained(
    client: OpenAI, tiny_server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny_server.service, "trained_length", 7)
    for limit in ({"max_tokens": None}, {"max_tokens": 500}):
        answer = ask(client, **limit)
        assert answer.usage.completion_tokens == 7 and answer.choices[0].finish_reason == "length"


def test_a_reply(client: OpenAI) -> None:
    answer = ask(client)
    choice, usage = answer.choices[0], answer.usage
    assert (
        answer.id.startswith("chatcmpl-")
        and answer.model == "gpt-4o"
        and abs(answer.created - time.time()) < 60
    )
    assert choice.message.content and choice.message.refusal is None and choice.finish_reason == "length"
    assert usage.completion_tokens == 12 == usage.completion_tokens_details.text_tokens
    assert (
        usage.total_tokens == usage.prompt_tokens + 12
        and usage.prompt_tokens == usage.prompt_tokens_details.text_tokens
    )
    assert (
        ask(client).choices[0].message.content
        == choice.message.content
        != ask(client, seed=2).choices[0].message.content
    )


def test_nulls_and_strangers_are_as_good_as_nothing(client: OpenAI) -> None:
    names = (
        "temperature",
        "top_p",
        "n",
        "stop",
        "max_tokens",
        "max_completion_tokens",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "seed",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "stream",
        "stream_options",
        "modalities",
        "audio",
        "metadata",
        "user",
        "store",
        "service_tier",
        "reasoning_effort",
        "prediction",
        "verbosity",
    )
    body = {
        "model": "unisono",
        "messages": [{**SKY[0], "name": None, "tool_calls": None}],
        **dict.fromkeys(names),
        "max_tokens": 5,
    }
    answer = client.post("/chat/completions", body={**body, "nobody_knows": {"a": 1}}, cast_to=httpx.Response)
    assert answer.json()["usage"]["completion_tokens"] <= 5
    assert ask(
        client,
        user="me",
        metadata={"a": "b"},
        store=True,
        service_tier="auto",
        reasoning_effort="low",
        verbosity="low",
    ).choices


def test_the_history_is_computed_once(client: OpenAI) -> None:
    words = "What colour is the sky today and what colour was it on all the days before? " * 3
    first = ask(
        client,
        messages=[{"role": "developer", "content": "Be kind."}, {"role": "user", "content": words}],
        temperature=0,
        max_tokens=9,
    )
    said = [
        {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": words},
        {"role": "assistant", "content": first.choices[0].message.content},
        *SKY,
    ]
    again = ask(client, messages=said)
    assert (
        first.usage.prompt_tokens - 2
        <= again.usage.prompt_tokens_details.cached_tokens
        < again.usage.prompt_tokens
    )


def test_several_choices_are_those_of_their_seeds(client: OpenAI, tiny_server: Running) -> None:
    answer = ask(client, n=11, seed=5, max_tokens=8)
    assert [choice.index for choice in answer.choices] == list(
        range(11)
    ) and answer.usage.completion_tokens == 88
    alone = [ask(client, seed=5 + number, max_tokens=8).choices[0].message.content for number in range(11)]
    assert [choice.message.content for choice in answer.choices] == alone and len(set(alone)) > 5
    assert wait_until(
        lambda: len(tiny_server.service.scheduler.engine.slots) == len(tiny_server.service.scheduler.idle)
    )


def test_streams_say_the_same_in_the_order_that_clients_expect(client: OpenAI) -> None:
    whole = ask(client, n=3, max_tokens=20)
    chunks = list(ask(client, n=3, max_tokens=20, stream=True, stream_options={"include_usage": True}))
    assert len({(chunk.id, chunk.created, chunk.model, chunk.object) for chunk in chunks}) == 1
    assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens == whole.usage.total_tokens
    assert all(chunk.usage is None and len(chunk.choices) == 1 for chunk in chunks[:-1])
    for number in range(3):
        own = [chunk.choices[0] for chunk in chunks[:-1] if chunk.choices[0].index == number]
        assert (
            own[0].delta.role == "assistant"
            and own[0].delta.content == ""
            and not any(one.delta.role for one in own[1:])
        )
        assert [one.finish_reason for one in own] == [None] * (len(own) - 1) + ["length"] and own[
            -1
        ].delta.content is None
        assert "".join(one.delta.content or "" for one in own) == whole.choices[number].message.content
    assert all(chunk.usage is None for chunk in ask(client, stream=True))


def test_a_stream_on_the_wire(tiny_server: Running) -> None:
    with httpx.stream(
        "POST",
        tiny_server.url + "/chat/completions",
        json={"model": "gpt-4o", "messages": SKY, "stream": True, "max_tokens": 3},
    ) as answer:
        lines = [line for line in answer.iter_lines() if line]
    assert answer.headers["content-type"].startswith("text/event-stream") and answer.headers[
        "x-request-id"
    ].startswith("req_")
    assert lines[-1] == "data: [DONE]" and all(json.loads(line.removeprefix("data: ")) for line in lines[:-1])


def test_stop_strings_end_a_reply_before_they_show(client: OpenAI) -> None:
    text = ask(client, max_tokens=60).choices[0].message.content
    for start, size in ((5, 1), (7, 3), (11, 8)):
        stop = text[start : start + size]
        for stream in (False, True):
            answer = ask(client, max_tokens=60, stop=["never in here", stop], stream=stream)
            choices = [chunk.choices[0] for chunk in answer] if stream else [answer.choices[0]]
            said = (
                "".join(one.delta.content or "" for one in choices) if stream else choices[0].message.content
            )
            assert said == text[: text.index(stop)] and choices[-1].finish_reason == "stop"
    assert (
        ask(client, max_tokens=60, stop=text + "x").choices[0].message.content == text
    )  # what was held back comes out at the end


def test_logprobs_go_with_the_words(client: OpenAI) -> None:
    answer = ask(client, logprobs=True, top_logprobs=3, temperature=0)
    tokens = answer.choices[0].logprobs.content
    assert 10 <= len(tokens) <= 12 and all(
        len(token.top_logprobs) == 3 and token.logprob <= 0 for token in tokens
    )
    joined = b"".join(bytes(token.bytes) for token in tokens).decode("utf8", "replace")
    assert joined.startswith(answer.choices[0].message.content.rstrip("\ufffd"))
    streamed = [
        token
        for chunk in ask(client, logprobs=True, top_logprobs=3, temperature=0, stream=True)
        if chunk.choices[0].logprobs
        for token in chunk.choices[0].logprobs.content
    ]
    assert [(token.token, token.logprob) for token in streamed] == [
        (token.token, token.logprob) for token in tokens
    ]
    assert (
        ask(client, logprobs=True).choices[0].logprobs.content[0].top_logprobs == []
        and ask(client).choices[0].logprobs is None
    )


def test_bias_and_penalties_change_what_is_said(client: OpenAI, tiny_server: Running) -> None:
    letter = tiny_server.service.tokenizer.text.encode("Q")[0]
    assert set(ask(client, logit_bias={str(letter): 100}).choices[0].message.content) == {"Q"}
    tokens = (
        ask(client, max_tokens=80, logit_bias={str(letter): -100}, logprobs=True).choices[0].logprobs.content
    )
    assert len(tokens) > 70 and "Q" not in [token.token for token in tokens]
    usual = ask(client, temperature=0, max_tokens=80).choices[0].message.content
    varied = (
        ask(client, temperature=0, max_tokens=80, frequency_penalty=2, presence_penalty=2)
        .choices[0]
        .message.content
    )
    assert len(set(varied)) > len(set(usual))
