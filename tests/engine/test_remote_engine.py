"""The remote engine against a real llama.cpp server that holds the exported network."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from unisono.core.errors import UserError
from unisono.core.home import default_weights
from unisono.engine.engine import Engine, EngineAway
from unisono.engine.grammar import Grammar, Rules
from unisono.engine.load import load_engine
from unisono.engine.remote_engine import FAR, RemoteEngine
from unisono.engine.sample import GREEDY, Sampler
from unisono.engine.session import Session
from unisono.export import export_gguf
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Message, Text

TOKENIZER = OmniTokenizer.load(default_weights())


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteEngine]:
    xllamacpp = pytest.importorskip("xllamacpp")
    path: Path = tmp_path_factory.mktemp("gguf") / "nano.gguf"
    export_gguf(default_weights(), path, "f32")
    parameters = xllamacpp.CommonParams()
    parameters.model.path, parameters.n_ctx, parameters.n_parallel = str(path), 2048, 2
    parameters.cpuparams.n_threads, parameters.warmup = 1, False
    parameters.api_keys = ["secret"]
    server = xllamacpp.Server(parameters)
    engine = RemoteEngine(f"{server.listening_address}/v1", TOKENIZER.vocab.size, 1000, key="secret")
    yield engine
    engine.client.close()


def said(engine: Engine, question: str) -> list[int]:
    with Session(engine) as session:
        session.append(TOKENIZER.encode([Message("user", [Text(question)])], begin_reply=True)[0].tolist())
        return list(session.generate(Grammar(TOKENIZER.vocab, Rules()), Sampler({"text": GREEDY}), 12))


def test_it_says_what_the_local_engine_says(remote: RemoteEngine) -> None:
    local = load_engine(default_weights(), precision="float32")
    for question in ("What colour is the sky?", "Draw a red circle.", "What is two plus two?"):
        assert said(remote, question) == said(local, question)


def test_a_server_that_wants_a_key_gets_the_one_of_the_environment(
    remote: RemoteEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = remote.url.removesuffix("/completions")
    for key, outcome in (("", pytest.raises(EngineAway, match="401")), ("secret", contextlib.nullcontext())):
        monkeypatch.setenv("UNISONO_ENGINE_KEY", key)
        engine = load_engine(default_weights(), kind=address)
        with outcome, engine.client:
            assert engine.feed([(engine.open(), [1, 2, 3])]).shape == (1, TOKENIZER.vocab.size)


def test_sequences_are_apart_fork_and_rewind(remote: RemoteEngine) -> None:
    a, b = remote.open(), remote.open()
    rows = remote.feed([(a, [1, 2, 3]), (b, [4, 5])])
    fork = remote.fork(a)
    remote.rewind(a, 2)
    assert (remote.length(a), remote.length(b), remote.length(fork)) == (2, 2, 3)
    again = remote.feed([(a, [3])])[0]
    # A server tells the likeliest ids alone, all others are set below them: which of two equals is the last
    # of those may change.
    told = (again > again.min() + 1) & (rows[0] > rows[0].min() + 1)
    assert told.sum() >= 0.9 * (rows[0] > rows[0].min() + 1).sum() > 5 and again.argmax() == rows[0].argmax()
    np.testing.assert_allclose(again[told], rows[0][told], rtol=1e-3, atol=2e-3)
    for handle in (a, b, fork):
        remote.drop(handle)
    with pytest.raises(ValueError, match="handle"):
        remote.length(a)
    with pytest.raises(UserError, match="too long"):
        remote.feed([(remote.open(), [1] * 1001)])


def test_nobody_there_is_said() -> None:
    engine = RemoteEngine("http://127.0.0.1:9/v1", 10, 100)
    with pytest.raises(UserError, match="failed"):
        engine.feed([(engine.open(), [1])])


@pytest.mark.parametrize(
    "url, key, message",
    [
        ("http://gpu:80a0/v1", "none", "is no address of a server .*80a0"),
        ("http://[::1/v1", "none", "is no address"),
        ("http://gpu:80/v1", "schlüssel", "printable ASCII"),
        ("http://gpu:80/v1", "secret\n", "printable ASCII"),
    ],
)
def test_an_address_or_a_key_that_cannot_be_is_said(url: str, key: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as told:
        RemoteEngine(url, 10, 100, key=key)
    assert key == "none" or key.strip() not in str(told.value)


@pytest.mark.parametrize(
    "told",
    [
        {"top_logprobs": [{"token_id:7": -0.5, "token_id:2": -1.5}]},
        {"content": [{"top_logprobs": [{"id": 7, "logprob": -0.5}, {"id": 2, "logprob": -1.5}]}]},
    ],
)
def test_both_spellings_of_logprobs_are_read(monkeypatch: pytest.MonkeyPatch, told: dict) -> None:
    engine, sent = RemoteEngine("http://127.0.0.1:9/v1", 10, 100), []

    def post(url: str, json: dict) -> httpx.Response:
        sent.append(json["prompt"])
        return httpx.Response(200, json={"choices": [{"logprobs": told}]}, request=httpx.Request("POST", url))

    monkeypatch.setattr(engine.client, "post", post)
    row = engine.feed([(engine.open(), [1, 3])])[0]
    assert (row[7], row[2], row[0]) == (-0.5, -1.5, -1.5 - FAR) and row.shape == (10,) and sent == [[1, 3]]


def test_another_network_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = RemoteEngine("http://127.0.0.1:9/v1", 10, 100)
    told = {"choices": [{"logprobs": {"top_logprobs": [{"token_id:99": -1.0}]}}]}
    monkeypatch.setattr(
        engine.client,
        "post",
        lambda url, json: httpx.Response(200, json=told, request=httpx.Request("POST", url)),
    )
    with pytest.raises(EngineAway, match="of this network's ids"):
        engine.feed([(engine.open(), [1])])
