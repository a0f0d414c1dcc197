"""What people have becomes shards: every kind of source, whatever is wrong with it, and builds that were
killed.
"""

import base64
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import drawing, tone, write_clip
from PIL import Image

from unisono.core.errors import UserError
from unisono.data.own import add as module
from unisono.data.own.add import add, facts_of
from unisono.data.own.items import Item, within
from unisono.data.own.sources import items_of
from unisono.data.shards.shard import Shard
from unisono.tokenizer import OmniTokenizer

Messages = list[dict]


def chat(question: str, answer: str, **more: object) -> dict:
    return {
        "messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}],
        **more,
    }


def write_lines(path: Path, rows: list[dict | str]) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf8")
    return path


def wav(seconds: float = 0.3, rate: int = 16000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, tone(seconds, rate), rate, format="WAV")
    return file.getvalue()


def png(size: tuple[int, int] = (48, 32)) -> bytes:
    file = io.BytesIO()
    drawing(size).save(file, "PNG")
    return file.getvalue()


def picture(path: Path, shade: int) -> None:
    Image.new("RGB", (32, 32), (shade, 255 - shade, shade // 2)).save(path)


def build(
    home: Path, start: Path, source: Path | str, name: str = "mine", **options: object
) -> module.Report:
    return add(home, name, items_of(str(source)), start, "own", **options)  # type: ignore[arg-type]


def documents(home: Path, name: str = "mine") -> dict[str, list[list[int]]]:
    """Task -> ids of its documents, of both splits."""
    found: dict[str, list[list[int]]] = {}
    for split in ("train", "val"):
        shard = Shard(home / "own" / name / split)
        for number, task in enumerate(shard.tasks):
            found.setdefault(shard.task_names[task], []).append(shard.document(number)[0].tolist())
    return found


def texts(home: Path, tokenizer: OmniTokenizer, name: str = "mine") -> list[str]:
    """The written ids of every document."""
    span = tokenizer.vocab.span("text")
    return [
        tokenizer.text.decode([id - span.start for id in ids if span.start <= id < span.end])
        for its in documents(home, name).values()
        for ids in its
    ]


# ---- what people have ----


def test_conversations_of_openai_become_talk(
    tmp_path: Path, tiny_network: Path, tokenizer: OmniTokenizer
) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "a.wav").write_bytes(wav())
    (tmp_path / "media" / "b.png").write_bytes(png())
    write_clip(tmp_path / "media" / "c.mp4")
    call = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Ulm"}'}}
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    data = base64.b64encode(wav()).decode()
    given: list[dict | str] = [
        chat("Who sings?", "Ada sings."),
        {
            "messages": [
                {"role": "developer", "content": "Be brief."},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is this?"},
                        {"type": "image_url", "image_url": {"url": "media/b.png"}},
                        {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}},
                        {"type": "input_audio", "input_audio": {"data": "media/a.wav", "format": "wav"}},
                        {"type": "video_url", "video_url": {"url": "media/c.mp4"}},
                    ],
                },
                {"role": "assistant", "content": "A leaf.", "weight": 0},
                {"role": "user", "content": "Say it."},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "text", "text": "A leaf."},
                        {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}},
                        {
                            "type": "image_url",
                            "image_url": "data:image/png;base64," + base64.b64encode(png()).decode(),
                        },
                    ],
                },
            ]
        },
        {
            "messages": [
                {"role": "user", "content": "Weather in Ulm?"},
                {"role": "assistant", "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "1", "content": "rain"},
                {"role": "assistant", "content": "It rains."},
            ],
            "tools": tools,
        },
    ]
    report = build(tmp_path / "home", tiny_network, write_lines(tmp_path / "chat.jsonl", given))
    assert report.documents == {"mine/talk": 3} and not report.left_out
    vocab = tokenizer.vocab
    (spoken,) = [
        ids for ids in documents(tmp_path / "home")["mine/talk"] if vocab.id("<|begin_video|>") in ids
    ]
    assert [vocab.name(id) for id in spoken if vocab.modality(id) == "special" and id != vocab.id("<|pad|>")][
        :2
    ] == [
        "<|system|>",
        "<|end|>",
    ]
    assert spoken.count(vocab.id("<|begin_image|>")) >= 3  # shown, of the clip, drawn
    assert sum(id == vocab.id("<|begin_thought|>") for id in spoken) == 1
    assert any(text.startswith("voice: mine\nBe brief.") for text in texts(tmp_path / "home", tokenizer))
    assert any(
        'tool weather: {"type":"object"}' in text
        and '{"name": "weather", "arguments": {"city": "Ulm"}}' in text
        for text in texts(tmp_path / "home", tokenizer)
    )


def test_a_reply_of_no_weight_is_not_learned(tmp_path: Path, tiny_network: Path) -> None:
    rows: list[dict | str] = [chat("a", "b"), chat("c", "d")]
    messages: Messages = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": "y", "weight": 0},
        {"role": "user", "content": "z"},
        {"role": "assistant", "content": "w", "weight": 1},
    ]
    build(tmp_path, tiny_network, write_lines(tmp_path / "a.jsonl", [*rows, {"messages": messages}]))
    learned = [
        (len(ids), int(learn.sum()))
        for split in ("train", "val")
        for shard in [Shard(tmp_path / "own" / "mine" / split)]
        for ids, learn in [shard.document(number) for number in range(len(shard.ends))]
    ]
    length, count = max(learned)
    assert length == 12 and count == 2  # w and the end after it


def test_text_is_read_from_files_and_lines(
    tmp_path: Path, tiny_network: Path, tokenizer: OmniTokenizer
) -> None:
    source = tmp_path / "texts"
    source.mkdir()
    (source / "a.txt").write_text("\ufeffOne. Two.", encoding="utf8")
    (source / "b.md").write_text("# Three", encoding="utf8")
    write_lines(source / "c.jsonl", [{"text": "Four."}, {"text": "Five."}])
    report = build(tmp_path, tiny_network, source)
    assert report.documents == {"mine/read": 4}
    assert sorted(texts(tmp_path, tokenizer)) == ["# Three", "Five.", "Four.", "One. Two."]


@pytest.mark.parametrize(
    "order", ["ljspeech", "common_voice", "librispeech", "audiofolder", "audiofolder.jsonl", "beside"]
)
def test_folders_of_sound(tmp_path: Path, tiny_network: Path, tokenizer: OmniTokenizer, order: str) -> None:
    source, words = tmp_path / "sound", ["one", "two", "three", "four"]
    place = {"ljspeech": "wavs", "common_voice": "clips", "librispeech": "12/3", "beside": "."}.get(
        order, "x"
    )
    folder = source / place
    folder.mkdir(parents=True)
    for number, word in enumerate(words):
        stem = f"12-3-{number:04d}"
        ending = {"common_voice": "mp3", "librispeech": "flac"}.get(order, "wav")
        soundfile.write(folder / f"{stem}.{ending}", tone(0.3), 16000)
        if order == "beside":
            (folder / f"{stem}.txt").write_text(word)
    names = [f"12-3-{number:04d}" for number in range(4)]
    table, lines = {
        "ljspeech": ("metadata.csv", [f"{n}|{w}|{w}" for n, w in zip(names, words)]),
        "common_voice": (
            "validated.tsv",
            ["client_id\tpath\tsentence", *(f"c\t{n}.mp3\t{w}" for n, w in zip(names, words))],
        ),
        "librispeech": ("12/3/12-3.trans.txt", [f"{n} {w.upper()}" for n, w in zip(names, words)]),
        "audiofolder": (
            "metadata.csv",
            ["file_name,transcription", *(f'x/{n}.wav,"{w}"' for n, w in zip(names, words))],
        ),
        "audiofolder.jsonl": (
            "metadata.jsonl",
            [json.dumps({"file_name": f"x/{n}.wav", "text": w}) for n, w in zip(names, words)],
        ),
        "beside": ("", [""]),
    }[order]
    if table:
        (source / table).write_text("\n".join(lines) + "\n", encoding="utf8")
    report = build(tmp_path, tiny_network, source)
    assert report.documents == {"mine/hear": 4} and not report.left_out
    written = " ".join(texts(tmp_path, tokenizer)).lower()
    assert all(word in written for word in words)


def test_somebody_with_enough_recordings_becomes_a_voice(
    tmp_path: Path, tiny_network: Path, tokenizer: OmniTokenizer
) -> None:
    items = [Item(str(n), "sound", Path("x"), text="w", speaker="ada" if n % 3 else "ben") for n in range(40)]
    assert module.voices_of("mine", items) == {"ada": "mine-ada"}
    assert module.voices_of("mine", [item for item in items if item.speaker == "ada"]) == {"ada": "mine"}
    assert not module.voices_of("mine", items[:10])


@pytest.mark.parametrize("order", ["imagefolder", "labels", "webdataset"])
def test_folders_of_pictures_are_described_and_drawn(
    tmp_path: Path, tiny_network: Path, tokenizer: OmniTokenizer, order: str
) -> None:
    source = tmp_path / "pictures"
    (source / "red_leaf").mkdir(parents=True)
    for number in range(3):
        picture(source / "red_leaf" / f"{number}.png", 80 * number)
    if order == "imagefolder":
        rows: list[dict | str] = [{"file_name": f"red_leaf/{n}.png", "text": "A red leaf."} for n in range(3)]
        write_lines(source / "metadata.jsonl", rows)
    if order == "webdataset":
        with tarfile.open(source / "0000.tar", "w") as archive:
            for number in range(3):
                (source / "w.txt").write_text("A red leaf.")
                archive.add(source / "red_leaf" / f"{number}.png", f"{number:04d}.png")
                archive.add(source / "w.txt", f"{number:04d}.txt")
        (source / "w.txt").unlink()
        source = source / "0000.tar"
    report = build(tmp_path, tiny_network, source)
    assert report.documents == {"mine/describe": 3, "mine/draw": 3} and not report.left_out
    assert any(
        "Here is a red leaf." in text or "Here is red leaf." in text for text in texts(tmp_path, tokenizer)
    )


def test_rows_of_a_hugging_face_dataset(tmp_path: Path, tiny_network: Path, tokenizer: OmniTokenizer) -> None:
    datasets = pytest.importorskip("datasets")
    cells = [{"bytes": png((32, 16 + number)), "path": None} for number in range(4)]
    table = datasets.Dataset.from_dict({"image": cells, "label": [0, 1, 0, 1]}).cast_column(
        "label", datasets.ClassLabel(names=["red_leaf", "cat"])
    )
    table.cast_column("image", datasets.Image()).save_to_disk(tmp_path / "saved")
    report = build(tmp_path, tiny_network, tmp_path / "saved")
    assert report.documents == {"mine/describe": 4, "mine/draw": 4}
    assert any("Here is red leaf." in text for text in texts(tmp_path, tokenizer))


def test_a_dataset_that_cannot_be_had_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UserError, match="nobody/nothing .*(cannot be had|needs the package)"):
        items_of("nobody/nothing")


# ---- what is wrong with it ----

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


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "/tmp/x", "a b", "x" * 65])
def test_a_name_is_no_path(tmp_path: Path, tiny_network: Path, name: str) -> None:
    with pytest.raises(UserError, match="no name for data"):
        add(tmp_path, name, [], tiny_network, "own")


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


def test_paths_within_a_folder_are_found(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").touch()
    (tmp_path / "same").symlink_to(tmp_path / "in")
    assert within(tmp_path / "same", "a") == within(tmp_path, str(tmp_path / "in" / "a"))


# ---- builds ----


def test_nothing_is_in_both_splits_and_something_is_held_out(tmp_path: Path, tiny_network: Path) -> None:
    rows: list[dict | str] = [chat(f"Question {n % 30}?", f"Answer {n}.") for n in range(60)]
    build(tmp_path, tiny_network, write_lines(tmp_path / "a.jsonl", rows))
    train, val = (Shard(tmp_path / "own" / "mine" / split) for split in ("train", "val"))
    assert len(train.ends) + len(val.ends) == 60 and 1 < len(val.ends) < 20 and len(val.ends) % 2 == 0


def test_other_data_of_the_same_name_is_not_mixed_in(
    tmp_path: Path, tiny_network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_lines(tmp_path / "a.jsonl", [chat(f"{n}", "x") for n in range(4)])
    monkeypatch.setattr(module, "_code", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path, tiny_network, path)
    monkeypatch.undo()
    other = write_lines(tmp_path / "b.jsonl", [chat(f"{n}", "x") for n in range(5)])
    with pytest.raises(UserError, match="other data of this name"):
        build(tmp_path, tiny_network, other)
    assert add(tmp_path, "mine", items_of(str(path)), tiny_network, None).documents == {"mine/talk": 4}


def test_a_build_that_is_killed_goes_on_to_the_same_shards(tmp_path: Path, tiny_network: Path) -> None:
    source = tmp_path / "sound"
    source.mkdir()
    for number in range(120):
        soundfile.write(source / f"{number:03d}.wav", tone(0.1 + number / 400), 16000)
        (source / f"{number:03d}.txt").write_text(f"number {number}")
    command = [sys.executable, "-m", "unisono.cli", "data", "add", "mine", str(source), "--licence", "own"]
    command += ["--start", str(tiny_network), "--workers", "2", "--home"]
    killed = 0
    for _ in range(2):
        with subprocess.Popen([*command, str(tmp_path / "a")], start_new_session=True) as process:
            parts, before = tmp_path / "a" / "own" / "mine" / "parts", killed
            until = time.monotonic() + 240
            while time.monotonic() < until and len(list(parts.glob("0*.npz"))) <= before:
                time.sleep(0.02)
            os.killpg(process.pid, signal.SIGKILL)
        killed = len(list(parts.glob("0*.npz")))
        assert killed > before
    assert not (tmp_path / "a" / "own" / "mine" / "data.json").exists() and killed < 8
    build(tmp_path / "a", tiny_network, source)
    build(tmp_path / "b", tiny_network, source, workers=1)
    first, second = (
        {path.relative_to(tmp_path / home): path.read_bytes() for path in (tmp_path / home).rglob("*.*")}
        for home in ("a", "b")
    )
    assert first == second and len(first) == 11
