"""Readers of recorded sets: archives in, clips at 16 kHz out, speakers kept apart."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from unisono.core.errors import UserError
from unisono.data.speech.recordings import NUM_TEST_READERS, SETS, decode, iter_recordings

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


def sound_file(seconds: float, rate: int, peak: float = 0.3, channels: int = 1) -> bytes:
    wave = peak * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)
    file = io.BytesIO()
    soundfile.write(file, np.stack([wave] * channels, axis=1), rate, format="FLAC")
    return file.getvalue()


def write_archive(folder: Path, name: str, rows: list[dict], rate: int) -> None:
    with tarfile.open(folder / SETS[name][0], "w") as archive:
        files = {f"{name}/{row['file']}": sound_file(0.5, rate) for row in rows}
        files[f"{name}/index.jsonl"] = "".join(json.dumps(row) + "\n" for row in rows).encode()
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def test_any_rate_and_channels_become_16_khz_mono() -> None:
    pcm = decode(sound_file(0.5, 24000, channels=2))
    assert pcm.shape == (8000,) and np.abs(pcm).max() == pytest.approx(0.7, abs=0.01)
    assert np.abs(decode(sound_file(0.5, 16000, peak=0.001))).max() < 0.1  # noise is not raised to speech


def test_readers_are_kept_apart(tmp_path: Path) -> None:
    rows = [
        {"file": f"clips/{n}.flac", "speaker": str(n), "split": "train"}
        for n in range(90, 90 + NUM_TEST_READERS + 5)
    ]
    write_archive(tmp_path, "librispeech_train251", rows, 16000)
    test = {item.facts.voice for item in iter_recordings(tmp_path, "librispeech_train251", "test")}
    train = {item.facts.voice for item in iter_recordings(tmp_path, "librispeech_train251", "train")}
    assert (
        len(test) == NUM_TEST_READERS and train == {f"libri{n}" for n in range(90, 95)} and not test & train
    )


def test_what_is_held_out_of_each_set() -> None:
    def split(name: str, **row: object) -> str:
        return SETS[name][1](row, [row]).split

    assert (
        split("fsdd", digit="7", speaker="lucas", split="train")
        == split("fsdd", digit="7", speaker="theo", split="val")
        == "test"
    )
    assert split("fsdd", digit="7", speaker="theo", split="train") == "train"
    assert (split("esc10", fold=4, label="rain"), split("esc10", fold=3, label="rain")) == ("val", "train")
    assert split("neural_speech", text="item 1", voice={"a": 1}, split="val") == "test"
    assert (
        split("neural_speech", text="printed dog", voice={"a": 1}, split="train") == "test"
        and split("neural_speech", text="", voice={"a": 1}, split="train") == "train"
    )


def test_foreign_words_come_with_their_meaning(tmp_path: Path) -> None:
    row = {
        "file": "clips/1.flac",
        "word": "backward",
        "arabic": "\u062e\u0644\u0641",
        "speaker": "01",
        "take": 1,
        "split": "val",
    }
    write_archive(tmp_path, "arabic_commands", [row], 16000)
    item = next(iter_recordings(tmp_path, "arabic_commands"))
    assert (
        item.facts.text == row["arabic"]
        and item.facts.language == "ar"
        and item.facts.labels == {"meaning": "backward"}
    )
    assert item.facts.split == "val" and item.row == row and len(item.pcm) == 8000


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="barista.tar"):
        next(iter_recordings(tmp_path, "barista"))
    with pytest.raises(UserError, match="unknown set of recordings"):
        next(iter_recordings(tmp_path, "gramophone"))


@pytest.mark.skipif(not SHARED.exists(), reason="needs the shared data folder")
@pytest.mark.parametrize("name", SETS)
def test_the_sets_at_hand(name: str) -> None:
    if SETS[name][0].endswith(".zst"):
        pytest.importorskip("zstandard")
    for item, _ in zip(iter_recordings(SHARED, name), range(3)):
        assert (
            item.pcm.dtype == np.float32 and 0.1 < len(item.pcm) / 16000 < 40 and np.isfinite(item.pcm).all()
        )
        assert item.facts.split in ("train", "val", "test") and item.source == name


def test_a_share_of_each_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unisono.data.speech.recordings.MIN_KEPT", 2)
    rows = [{"file": f"clips/{n}.flac", "speaker": str(n // 2), "split": "train"} for n in range(120)]
    write_archive(tmp_path, "librispeech_train251", rows, 16000)
    for split, at_least in (("train", 5), ("test", 2)):
        whole, some = (
            [item.row["file"] for item in iter_recordings(tmp_path, "librispeech_train251", split, share)]
            for share in (1.0, 0.1)
        )
        assert len(some) == max(2, round(len(whole) / 10)) >= at_least
        assert [file for file in whole if file in some] == some
