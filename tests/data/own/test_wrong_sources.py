"""Whatever is wrong with what people have is named by its place, left out and counted."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from own_sources import build, chat, png, wav, write_lines
from PIL import Image

from unisono.core.errors import UserError
from unisono.data.own import add as module
from unisono.data.own.add import add, facts_of
from unisono.data.own.sources import items_of

WRONG: dict[str, tuple[dict | str, str]] = {
    "broken": ('{"messages": [', "not JSON"),
    "deep": ("[" * 100_000, "not JSON"),
    "list": ("[1]", "no JSON object"),
    "nothing known": ({"prompt": "x"}, "no messages"),
    "no reply": ({"messages": [{"role": "user", "content": "x"}]}, "no reply of an assistant"),
    "last word": (
        {"messages": [*chat("x", "y")["messages"], {"role": "user", "content": "z"}]},
        "does not end with",
    ),
    "order": (
        {"messages": [*chat("x", "y")["messages"], {"role": "assistant", "content": "z"}]},
        "out of order",
    ),
    "late system": (
        {
            "messages": [
                {"role": "user", "content": "x"},
                {"role": "system", "content": "s"},
                *chat("x", "y")["messages"],
            ]
        },
        "out of order",
    ),
    "tool": (
        {
            "messages": [
                {"role": "user", "content": "x"},
                {"role": "tool", "content": "1"},
                *chat("x", "y")["messages"],
            ]
        },
        "out of order",
    ),
    "half a character": (r'{"messages": [{"role": "user", "content": "\ud83d"}]}', "half a character"),
    "role": ({"messages": [{"role": "bot", "content": "x"}]}, "no role 'bot'"),
    "role of no word": ({"messages": [{"role": [1], "content": "x"}]}, "no role"),
    "weight": (
        {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y", "weight": 2}]},
        "weight",
    ),
    "nothing learned": (
        {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y", "weight": 0}]},
        "nothing to learn",
    ),
    "content": (
        {"messages": [{"role": "user", "content": 5}, {"role": "assistant", "content": "y"}]},
        "neither a text",
    ),
    "too long": (chat("x" * 100, "word " * 3000), "longer than|too long"),
}


def part(kind: str, value: object) -> dict:
    return {
        "messages": [{"role": "user", "content": [{"type": kind, kind: value}]}, chat("", "y")["messages"][1]]
    }


WRONG |= {
    "missing": (part("image_url", {"url": "none.png"}), "missing"),
    "outside": (part("image_url", {"url": "../secret.png"}), "leads out"),
    "absolute": (part("image_url", {"url": "/etc/passwd.png"}), "leads out"),
    "link": (part("image_url", {"url": "link.png"}), "leads out"),
    "folder": (part("image_url", {"url": "dir.png"}), "no file"),
    "null": (part("image_url", {"url": "a\0b.png"}), "damaged"),
    "damaged": (part("image_url", {"url": "damaged.png"}), "not a picture"),
    "empty": (part("image_url", {"url": "empty.png"}), "empty"),
    "gigapixel": (part("image_url", {"url": "huge.png"}), "pixels"),
    "no sound": (part("input_audio", {"data": "none.wav"}), "holds no sound|missing"),
    "ten hours": (part("input_audio", {"data": "long.wav"}), "lasts more than"),
    "private": (part("image_url", {"url": "http://127.0.0.1/a.png"}), "private"),
    "no base64": (part("input_audio", {"data": "!!"}), "base64"),
    "unknown part": (part("hologram", {}), "no part of type"),
}


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of media that are wrong in every way."""
    root = tmp_path_factory.mktemp("wrong")
    folder = root / "data"
    (folder / "dir.png").mkdir(parents=True)
    (root / "secret.png").write_bytes(png())
    (folder / "link.png").symlink_to(root / "secret.png")
    (folder / "damaged.png").write_bytes(png()[:40])
    (folder / "empty.png").touch()
    Image.new("1", (40_000, 30_000)).save(folder / "huge.png")
    soundfile.write(folder / "none.wav", np.zeros(0, np.float32), 16000)
    soundfile.write(folder / "long.wav", np.zeros(10 * 3600 * 100, np.float32), 100, subtype="PCM_U8")
    return folder


@pytest.mark.parametrize("name", WRONG)
def test_whatever_is_wrong_is_named_by_line_and_left_out(
    wrong: Path, tmp_path: Path, tiny_network: Path, name: str, coding: module.Coding
) -> None:
    row, reason = WRONG[name]
    path = write_lines(wrong / f"{name.replace(' ', '-')}.jsonl", [row])
    (item,) = items_of(str(path))
    assert item.place.endswith(".jsonl line 1")
    with pytest.raises(UserError, match=reason):
        coding.code(item, 0)


@pytest.fixture(scope="module")
def coding(tiny_network: Path) -> module.Coding:
    return module.Coding(tiny_network, "mine", 1024, {}, module.TASKS)


def test_a_little_that_is_wrong_is_left_out_and_counted(tmp_path: Path, tiny_network: Path) -> None:
    rows: list[dict | str] = [chat(f"Question {n}?", f"Answer {n}.") for n in range(20)]
    path = write_lines(tmp_path / "a.jsonl", ["", *rows[:7], "{broken", *rows[7:]])
    with open(path, "ab") as file:
        file.write(b"\xff\xfe{}\n")
    report = build(tmp_path, tiny_network, path)
    assert [place for place, _ in report.left_out] == ["a.jsonl line 9", "a.jsonl line 23"]
    assert report.documents == {"mine/talk": 20}
    kept = facts_of(tmp_path, "mine")
    assert kept["licence"] == "own" and kept["report"]["left_out"][0]["place"] == "a.jsonl line 9"
    assert kept["report"]["reasons"] == {"a line is not JSON": 1, "is not UTF-8; save the file as UTF-8": 1}


def test_more_than_a_tenth_stops_and_leaves_nothing(tmp_path: Path, tiny_network: Path) -> None:
    rows: list[dict | str] = [chat(f"Question {n}?", "x") for n in range(8)]
    path = write_lines(tmp_path / "a.jsonl", [*rows, "{", "{", {"prompt": "x"}])
    with pytest.raises(UserError, match=r"3 of 11 .* 2 x a line is not JSON \(a.jsonl line 9\); 1 x"):
        build(tmp_path, tiny_network, path)
    assert not list((tmp_path / "own").iterdir())


def test_tables_that_are_wrong(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(wav())
    rows = [
        b"file_name,text",
        b"x.wav,fine",
        b"x.wav,again",
        b"x.wav",
        b"../y.wav,out",
        b"gone.wav,gone",
        b"x.exe,what",
        b"x.wav,",
        b"x\xff.wav,words",
    ]
    (tmp_path / "metadata.csv").write_bytes(b"\n".join(rows) + b"\n")
    found = {item.place: item.fault for item in items_of(str(tmp_path))}
    assert found == {
        "metadata.csv line 2": "",
        "metadata.csv line 3": "a file is named twice",
        "metadata.csv line 4": "a row has 1 columns, its header 2",
        "metadata.csv line 5": "a path leads out of the folder of the data",
        "metadata.csv line 6": "a file is missing",
        "metadata.csv line 7": "a row names no file of sound or picture",
        "metadata.csv line 8": "a file is named twice",
        "metadata.csv line 9": "is not UTF-8; save the file as UTF-8",
    }


def test_links_that_lead_out_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "in" / "a.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "in" / "b.txt").write_text("fine")
    (tmp_path / "in" / "c.txt").symlink_to(tmp_path / "in" / "b.txt")
    found = {item.place: item.fault for item in items_of(str(tmp_path / "in"))}
    assert found == {"a.txt": "a path leads out of the folder of the data", "b.txt": "", "c.txt": ""}


def test_archives_that_lead_out_or_lie(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:

        def put(name: str, content: bytes, **fields: object) -> None:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for key, value in fields.items():
                setattr(member, key, value)
            archive.addfile(member, io.BytesIO(content))

        for name in ("../out", "/etc/out", "fine", "twice"):
            put(f"{name}.png", png())
            put(f"{name}.txt", b"A leaf.")
        put("twice.jpg", png())
        put("link.png", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        put("alone.txt", b"words")
    found = {item.place.rpartition(" ")[2]: item.fault for item in items_of(str(path))}
    assert found.pop("fine") == "" and all(found.values()) and len(found) == 5
    assert found["../out"] == found["/etc/out"] == "a member of an archive leads out of it"
    packed = tmp_path / "bomb.tar"
    packed.write_bytes(path.read_bytes()[:700])
    with pytest.raises(UserError, match="no whole .tar"):
        items_of(str(packed))


def test_sources_that_are_nothing(tmp_path: Path, tiny_network: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.exe").touch()
    for source in (tmp_path / "empty", tmp_path / "a.exe", tmp_path / "gone"):
        with pytest.raises(UserError, match="expected"):
            items_of(str(source))
    path = write_lines(tmp_path / "a.jsonl", [chat("x", "y")])
    with pytest.raises(UserError, match="too little"):
        build(tmp_path, tiny_network, path)
    with pytest.raises(UserError, match="--licence"):
        add(tmp_path, "mine", items_of(str(path)), tiny_network, None)
    assert not (tmp_path / "own").exists() or not list((tmp_path / "own").iterdir())
