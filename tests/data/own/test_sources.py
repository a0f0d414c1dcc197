"""Every kind of source that people have becomes shards: conversations, texts, folders of sound and pictures,
datasets.
"""

import base64
import json
import tarfile
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest
import soundfile
from conftest import tone, write_clip
from own_sources import build, chat, documents, png, texts, wav, write_lines
from PIL import Image

from unisono.core.errors import UserError
from unisono.data.own import add as module
from unisono.data.own.items import Item, within
from unisono.data.own.sources import items_of
from unisono.data.shards.shard import Shard
from unisono.tokenizer import OmniTokenizer

Messages = list[dict]


def picture(path: Path, shade: int) -> None:
    Image.new("RGB", (32, 32), (shade, 255 - shade, shade // 2)).save(path)


def conversations() -> list[dict | str]:
    """Chats as OpenAI's fine-tuning takes them: of text, of every kind of part, with a call."""
    call = {"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Ulm"}'}}
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    data = base64.b64encode(wav()).decode()
    return [
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


def test_conversations_of_openai_become_talk(
    tmp_path: Path, tiny_network: Path, tokenizer: OmniTokenizer
) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "a.wav").write_bytes(wav())
    (tmp_path / "media" / "b.png").write_bytes(png())
    write_clip(tmp_path / "media" / "c.mp4")
    report = build(tmp_path / "home", tiny_network, write_lines(tmp_path / "chat.jsonl", conversations()))
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
    for setting in ("huggingface_hub.constants", "datasets.config"):  # no network to be patient with
        with suppress(ImportError):
            monkeypatch.setattr(import_module(setting), "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="nobody/nothing .*(cannot be had|needs the package)"):
        items_of("nobody/nothing")


def test_paths_within_a_folder_are_found(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").touch()
    (tmp_path / "same").symlink_to(tmp_path / "in")
    assert within(tmp_path / "same", "a") == within(tmp_path, str(tmp_path / "in" / "a"))
