"""A network that begins from an LLM is told the schema that its answer must fit, as it was taught."""

from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Connect, Running
from openai import OpenAI

pytest.importorskip("transformers")

from tiny_bases import omni_of, tiny_base  # noqa: E402

from unisono.base.base import Base  # noqa: E402
from unisono.serve.reply.plan import with_form  # noqa: E402
from unisono.tokens.message import Message, Text  # noqa: E402

SCHEMA = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How old are you?"}]
AS_SCHEMA = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}


@pytest.fixture(scope="module")
def based(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("base")
    base = Base.load(str(tiny_base(folder / "llm", "llama")), folder)
    omni_of(base, folder / "omni")
    server = Running(folder / "omni")
    yield server
    server.stop()


def asked(client: OpenAI, **settings: Any) -> int:
    """Ids of the prompt."""
    made = client.chat.completions.create(
        model="unisono", messages=ASKED, max_completion_tokens=40, **settings
    )
    assert made.usage
    return made.usage.prompt_tokens


def test_the_schema_stands_in_the_prompt(based: Running, connect: Connect) -> None:
    client = connect(based)
    plain = asked(client)
    assert asked(client, response_format={"type": "text"}) == plain
    assert plain < asked(client, response_format={"type": "json_object"})
    assert plain + 20 < asked(client, response_format=AS_SCHEMA)
    flat = {"type": "json_schema", "name": "answer", "schema": SCHEMA}
    made = client.responses.create(
        model="unisono", input=ASKED[1:], instructions="Be brief.", text={"format": flat}
    )
    assert made.usage and made.usage.input_tokens == asked(client, response_format=AS_SCHEMA)


def test_a_network_that_was_not_taught_is_not_told(
    based: Running, tiny_server: Running, connect: Connect
) -> None:
    client = connect(tiny_server)
    assert asked(client) == asked(client, response_format=AS_SCHEMA)
    messages = [Message("user", [Text("How old are you?")])]
    assert with_form(tiny_server.service, messages, AS_SCHEMA) is messages
    told = with_form(based.service, messages, AS_SCHEMA)[0]
    assert told.role == "system" and told.text == (
        'Answer as JSON after this schema: {"type": "object", "properties": {"age": {"type": "integer"}}, '
        '"required": ["age"]}'
    )
