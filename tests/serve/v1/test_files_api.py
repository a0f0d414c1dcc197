"""/v1/files with OpenAI's own client: kept apart for each key, bounded, gone when deleted or expired."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import pytest
from conftest import Connect, Running

from unisono.serve.wire import file_store as files


@pytest.fixture(scope="module")
def server(tiny_network: Path) -> Iterator[Running]:
    running = Running(tiny_network, keys=("sk-one", "sk-two"))
    yield running
    folder = Path(running.server.config.app.state.server.files.folder.name)
    assert folder.is_dir()
    running.stop()
    assert not folder.exists()  # the files go with the server


@pytest.fixture
def client(connect: Connect) -> Connect:
    """client(server, key): of the first key unless another is named."""
    return lambda server, key="sk-one": connect(server, key)


def test_a_file_is_kept_for_its_key_alone(server: Running, client: Connect) -> None:
    own, other = client(server), client(server, "sk-two")
    kept = own.files.create(file=("caf\u00e9 \U0001f600.txt", b"one\0two"), purpose="user_data")
    assert kept.bytes == 7 and kept.filename == "caf\u00e9 \U0001f600.txt" and kept.status == "processed"
    assert own.files.retrieve(kept.id) == kept and own.files.content(kept.id).read() == b"one\0two"
    for call in (other.files.retrieve, other.files.content, other.files.delete):
        with pytest.raises(openai.NotFoundError):
            call(kept.id)
    assert not list(other.files.list())
    assert own.files.delete(kept.id).deleted
    with pytest.raises(openai.NotFoundError):
        own.files.retrieve(kept.id)


def test_lists_have_pages_and_orders(server: Running, client: Connect) -> None:
    own = client(server)
    kept = [
        own.files.create(file=(f"{number}.txt", b"x"), purpose="batch" if number % 2 else "vision").id
        for number in range(5)
    ]
    assert [file.id for file in own.files.list()] == kept[::-1]
    assert [file.id for file in own.files.list(order="asc", limit=2)] == kept  # the client turns the pages
    page = own.files.list(limit=2)
    assert page.has_more and len(page.data) == 2
    assert [file.id for file in own.files.list(purpose="batch")] == [kept[3], kept[1]]
    for query in ("limit=0", "order=up", "after=none"):
        assert (
            httpx.get(f"{server.url}/files?{query}", headers={"authorization": "Bearer sk-one"}).status_code
            == 400
        )
    for id in kept:
        own.files.delete(id)


def test_files_expire(server: Running, monkeypatch: pytest.MonkeyPatch, client: Connect) -> None:
    own = client(server)
    kept = own.files.create(
        file=("x", b"x"), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert kept.expires_at == kept.created_at + 3600
    now = kept.created_at + 3601
    monkeypatch.setattr(files.time, "time", lambda: now)
    assert not list(own.files.list())


def test_room_is_bounded(server: Running, monkeypatch: pytest.MonkeyPatch, client: Connect) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 10)
    own = client(server)
    kept = own.files.create(file=("x", b"12345678"), purpose="user_data")
    with pytest.raises(openai.BadRequestError, match="no room"):
        own.files.create(file=("y", b"123"), purpose="user_data")
    own.files.delete(kept.id)
    own.files.delete(own.files.create(file=("y", b"123"), purpose="user_data").id)
    assert not list(Path(server.server.config.app.state.server.files.folder.name).iterdir())


@pytest.mark.parametrize(
    "data, uploads, param",
    [
        ({"purpose": "fun"}, {"file": b"x"}, "purpose"),
        ({}, {"file": b"x"}, "purpose"),
        ({"purpose": "batch"}, {"other": b"x"}, "file"),
        ({"purpose": "batch", "expires_after[seconds]": "1"}, {"file": b"x"}, "expires_after"),
    ],
)
def test_wrong_uploads(server: Running, data: dict, uploads: dict, param: str) -> None:
    answer = httpx.post(
        server.url + "/files", data=data, files=uploads, headers={"authorization": "Bearer sk-one"}
    )
    assert answer.status_code == 400 and answer.json()["error"]["param"] == param


def test_a_full_disk_is_said_and_leaves_nothing(
    server: Running, monkeypatch: pytest.MonkeyPatch, client: Connect
) -> None:
    own = client(server)
    before = own.files.create(file=("one.txt", b"one"), purpose="user_data")
    store = server.server.config.app.state.server.files
    name = uuid.UUID(int=7)
    monkeypatch.setattr(files.uuid, "uuid4", lambda: name)
    place = Path(store.folder.name) / f"file-{name.hex[:24]}"
    place.symlink_to("/dev/full")  # where the kernel says that there is no room
    with pytest.raises(openai.APIStatusError) as failed:
        own.files.create(file=("two.txt", b"x" * 100_000), purpose="user_data")
    assert (
        failed.value.status_code == 507 and "room" in failed.value.body["message"] and not place.is_symlink()
    )
    monkeypatch.undo()
    assert [file.id for file in own.files.list() if file.id == before.id] and own.files.create(
        file=("three.txt", b"3"), purpose="user_data"
    ).bytes == 1


def test_a_name_that_no_answer_can_hold_is_refused(server: Running) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n--x\r\n'
        b'Content-Disposition: form-data; name="file"; filename="+2AA-.txt"\r\n\r\na\r\n--x--\r\n'
    )
    key = {"authorization": "Bearer sk-one"}
    answer = httpx.post(
        f"{server.url}/files",
        content=body,
        headers={**key, "content-type": "multipart/form-data; boundary=x; charset=utf-7"},
    )
    assert answer.status_code == 400 and "UTF-8" in answer.json()["error"]["message"]
    assert httpx.get(f"{server.url}/files", headers=key).status_code == 200
