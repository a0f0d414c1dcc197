"""/v1/embeddings with OpenAI's own client, and what the vectors are made of."""

import base64
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import openai
import pytest
import torch
from conftest import SENTENCES, Connect, Running
from openai import OpenAI

from unisono.core.home import shipped
from unisono.model.config import preset
from unisono.model.hf import load_pretrained, save_pretrained
from unisono.model.transformer import Qwen3
from unisono.moderation.states import MAX_IDS, MAX_PLACES, States, batches
from unisono.tokenizer import OmniTokenizer

MODEL = "text-embedding-3-small"


@pytest.fixture(scope="module")
def client(tiny_server: Running) -> Iterator[OpenAI]:
    # Not strict: the client asks for base64 and would check it before it turns it into the floats that its
    # types promise.
    with OpenAI(base_url=tiny_server.url, api_key="x", max_retries=0) as made:
        yield made


def test_a_vector_is_the_mean_of_the_last_states(
    client: OpenAI, tiny_network: Path, tokenizer: OmniTokenizer
) -> None:
    answer = client.embeddings.create(model=MODEL, input="The sky is blue.")
    ids = tokenizer.text.encode("The sky is blue.")
    with torch.inference_mode():
        states = (
            load_pretrained(tiny_network)(torch.tensor([[tokenizer.vocab.id("<|document|>"), *ids]]))[0, 1:]
            .mean(0)
            .numpy()
        )
    vector = np.array(answer.data[0].embedding)
    assert np.allclose(vector, states / np.linalg.norm(states), atol=1e-5) and np.isclose(
        np.linalg.norm(vector), 1, atol=1e-5
    )
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == len(ids) and answer.model == MODEL


def test_floats_and_base64_are_the_same(client: OpenAI, tiny_server: Running, connect: Connect) -> None:
    packed = httpx.post(
        tiny_server.url + "/embeddings",
        json={"model": MODEL, "input": "x", "encoding_format": "base64", "dimensions": None},
    )
    strict = connect(tiny_server)
    plain = strict.embeddings.create(model=MODEL, input="x", encoding_format="float").data[0].embedding
    assert np.allclose(
        np.frombuffer(base64.b64decode(packed.json()["data"][0]["embedding"]), "<f4"), plain, atol=1e-7
    )


def test_a_batch_is_its_members_and_ids_are_their_text(client: OpenAI, tokenizer: OmniTokenizer) -> None:
    together = client.embeddings.create(model=MODEL, input=SENTENCES)
    assert [one.index for one in together.data] == list(range(len(SENTENCES)))
    for text, one in zip(SENTENCES, together.data):
        assert np.allclose(
            client.embeddings.create(model=MODEL, input=text).data[0].embedding, one.embedding, atol=1e-5
        )
    ids = [tokenizer.text.encode(text) for text in SENTENCES]
    for given, count in ((ids, len(ids)), (ids[0], 1)):
        answer = client.embeddings.create(model="unisono", input=given)
        assert len(answer.data) == count and np.allclose(
            answer.data[0].embedding, together.data[0].embedding, atol=1e-5
        )


def test_fewer_dimensions_are_a_shorter_vector_of_length_1(client: OpenAI) -> None:
    whole, short = (
        np.array(client.embeddings.create(model=MODEL, input="x", dimensions=count).data[0].embedding)
        for count in (64, 8)
    )
    assert len(short) == 8 and np.allclose(short, whole[:8] / np.linalg.norm(whole[:8]), atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"input": ""},
        {"input": []},
        {"input": [""]},
        {"input": [[]]},
        {"input": ["x", [1]]},
        {"input": [-1]},
        {"input": [10**9]},
        {"input": [1.5]},
        {"input": [True]},
        {"input": {"x": 1}},
        {"input": None},
        {"input": ["x"] * 2049},
        {"input": "word " * 3000},
        {"dimensions": 0},
        {"dimensions": 65},
        {"dimensions": "x"},
        {"encoding_format": "hex"},
    ],
)
def test_wrong_requests(tiny_server: Running, change: dict) -> None:
    answer = httpx.post(tiny_server.url + "/embeddings", json={"model": MODEL, "input": "x"} | change)
    assert answer.status_code == 400 and answer.json()["error"]["param"] == next(iter(change))
    assert (
        "word" not in str(change["input"] if "input" in change else "")
        or answer.json()["error"]["code"] == "context_length_exceeded"
    )


def test_an_unknown_model(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="none", input="x")


def test_batches_hold_every_text_once_and_little_at_a_time(tiny_network: Path) -> None:
    texts = [[1] * length for length in (1, 500, 3, 1000, 2, 2, 999, 7)]
    found = list(batches(texts))
    assert sorted(place for batch in found for place in batch) == list(range(8))
    assert all(
        len(batch) == 1 or len(batch) * max(len(texts[place]) + 1 for place in batch) <= MAX_IDS
        for batch in found
    )
    states = States(tiny_network)
    means = states.means([0], [[5, 6, 7], [8]])
    assert means.shape == (2, 4, 64) and np.allclose(states.means([0], [[8]])[0], means[1], atol=1e-5)
    longer = states.means([0, 9, 2], [[5, 6, 7], [8]])
    assert longer.shape == means.shape and np.allclose(longer[:, 0], means[:, 0], atol=1e-6)
    assert not np.allclose(longer[:, -1], means[:, -1], atol=1e-3)
    assert np.allclose(means[1, 0], states.model.embed_tokens.weight[8].detach().numpy())


@pytest.mark.skipif(not list(shipped().glob("*/model.safetensors")), reason="no weights in the package")
def test_like_sentences_lie_closer(shipped_server: Running, connect: Connect) -> None:
    client = connect(shipped_server, strict=False)  # strict clients do not read base64
    texts = [
        "The dog runs in the garden.",
        "A dog was running through the garden.",
        "How much is seven minus three?",
    ]
    first, like, other = (
        np.array(one.embedding) for one in client.embeddings.create(model=MODEL, input=texts).data
    )
    assert first @ like > first @ other


def test_of_a_deep_network_a_few_places_are_read(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Qwen3(preset("tiny", 32, num_hidden_layers=12))
    save_pretrained(model, tmp_path)
    states = States(tmp_path)
    means = states.means([0], [[5, 6, 7]])
    assert means.shape == (1, MAX_PLACES, 64)
    assert np.allclose(means[0, 0], model.embed_tokens.weight[[5, 6, 7]].detach().mean(dim=0), atol=1e-6)
    assert np.allclose(
        means[0, -1], model(torch.tensor([[0, 5, 6, 7]]))[0, 1:].detach().mean(dim=0), atol=1e-4
    )
