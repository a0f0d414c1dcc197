"""Sound as codes: each item's codes are those of the item alone, and words are found by who says them."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny_tokenizer, tone

from unisono.codecs.audio import AudioCodec
from unisono.core.errors import UserError
from unisono.data.speech import microphone
from unisono.data.speech.codebank import CodeBank, Encoding, encode_all, encode_waves
from unisono.data.speech.corpus import Spoken, to_int16, write_waves
from unisono.data.speech.waves import Waves

LENGTHS = (3200, 5000, 321, 16000, 1, 800)


@pytest.fixture(scope="module")
def codec() -> AudioCodec:
    return tiny_tokenizer().audio_codec


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six items: two texts by two voices in two splits, one without words, one of another text."""
    folder = (
        tmp_path_factory.mktemp("of-codebank") / "waves"
    )  # the noise is drawn by the names of both folders
    rng = np.random.default_rng(0)
    fields = [
        ("good morning", "heart", "train"),
        ("good morning", "joe", "train"),
        ("good morning", "joe", "test"),
        (None, "libri", "train"),
        ("día", "heart", "val"),
        ("good morning ", "heart", "train"),
    ]
    write_waves(
        folder,
        [
            Spoken(
                to_int16(tone(1.0)[:length] + rng.normal(0, 0.01, length)),
                {"text": text, "voice": voice, "split": split},
            )
            for length, (text, voice, split) in zip(LENGTHS, fields)
        ],
    )
    return folder


@pytest.fixture(scope="module")
def bank(waves: Path, codec: AudioCodec, tmp_path_factory: pytest.TempPathFactory) -> CodeBank:
    folder = tmp_path_factory.mktemp("codes")
    encode_waves(waves, codec, folder, batch_size=4)
    return CodeBank([folder])


def test_batched_codes_are_those_of_each_alone(waves: Path, codec: AudioCodec, bank: CodeBank) -> None:
    source = Waves([waves], None)
    assert [item["text"] for item in bank.items] == [item["text"] for item in source.items]
    for number, length in enumerate(LENGTHS):
        codes = bank.codes_of(number)
        alone = codec.encode(torch.from_numpy(source.pcm(number))[None])[0].numpy()
        assert codes.dtype == np.int64 and len(codes) == len(alone) == -(-length // 320)
        assert (codes == alone).mean() > 0.95


def test_words_are_found_by_voice_and_split(bank: CodeBank) -> None:
    rng = random.Random(0)

    def who(text: str, splits: set[str], voice: str | None = None) -> set[int]:
        return {
            number
            for _ in range(40)
            if (number := bank.find(text, rng, frozenset(splits), voice)) is not None
        }

    assert who("good morning", {"train"}) == {0, 1} and who("good morning", {"train", "test"}) == {0, 1, 2}
    assert who("good morning", {"train", "test"}, "heart") == {0} and who("día", {"val"}) == {4}
    assert bank.find("good morning", rng, frozenset({"val"})) is None
    assert bank.find("good evening", rng, frozenset({"train"})) is None
    assert bank.find("good morning", rng, frozenset({"train"}), "slt") is None


def test_several_folders_are_one_bank(waves: Path, codec: AudioCodec, bank: CodeBank, tmp_path: Path) -> None:
    for name in "ab":
        encode_waves(waves, codec, tmp_path / name)
    both = CodeBank([tmp_path / "a", tmp_path / "b"])
    assert len(both.items) == 12 and np.array_equal(both.codes_of(9), both.codes_of(3))
    assert len(CodeBank([]).items) == 0


def test_what_is_heard_is_not_what_was_said(
    waves: Path, codec: AudioCodec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(microphone, "PLAIN", 0.0)
    monkeypatch.setattr(microphone, "CHANGED", 0.0)
    encode_waves(waves, codec, tmp_path / "said")
    encode_waves(waves, codec, tmp_path / "heard", heard=1)
    encode_waves(waves, codec, tmp_path / "again", heard=1, batch_size=2)
    bank = CodeBank([tmp_path / "said"], [tmp_path / "heard"])
    again = CodeBank([tmp_path / "said"], [tmp_path / "again"])
    encode_waves(waves, codec, tmp_path / "otherwise", heard=2)
    otherwise = CodeBank([tmp_path / "said"], [tmp_path / "otherwise"])
    assert not np.array_equal(bank.codes_of(1, heard=True), otherwise.codes_of(1, heard=True))
    for number in (0, 1, 3):
        assert not np.array_equal(bank.codes_of(number), bank.codes_of(number, heard=True))
        assert (
            len(bank.codes_of(number, heard=True))
            == len(again.codes_of(number, heard=True))
            >= len(bank.codes_of(number))
        )


def test_voices_become_others_once(
    codec: AudioCodec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(microphone, "PLAIN", 1.0)
    monkeypatch.setattr(microphone, "CHANGED", 1.0)
    said = [
        Spoken(to_int16(tone(4.0)), {"text": "one", "voice": voice, "split": "train"})
        for voice in ("joe", "joe*0.9", "heart", "heart*1.1")
    ]
    write_waves(tmp_path / "waves", said)
    encode_waves(tmp_path / "waves", codec, tmp_path / "heard", heard=3)
    lengths = [item["length"] for item in CodeBank([tmp_path / "heard"]).items]
    assert (
        lengths[1] == lengths[3] == 200 and 200 not in (lengths[0], lengths[2]) and lengths[0] != lengths[2]
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_many_folders_are_encoded_at_once_each_by_its_codec(
    waves: Path, codec: AudioCodec, tmp_path: Path, workers: int
) -> None:
    other = AudioCodec(codec.config).eval()
    jobs = [
        Encoding(waves, "clean", tmp_path / "said"),
        Encoding(waves, "heard", tmp_path / "heard", 1),
        Encoding(waves, "clean", tmp_path / "said"),
    ]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the workers have it: sums in the same order
    encode_all(jobs, {"clean": codec, "heard": other}, workers)
    encode_waves(waves, codec, tmp_path / "one")
    encode_waves(waves, other, tmp_path / "two", heard=1)
    for name, same in (("said", "one"), ("heard", "two")):
        assert (tmp_path / name / "codes.u16").read_bytes() == (tmp_path / same / "codes.u16").read_bytes()
    encode_all(jobs, {}, workers)  # there is nothing left to do
    torch.set_num_threads(threads)


def test_a_finished_folder_is_left_alone(waves: Path, codec: AudioCodec, tmp_path: Path) -> None:
    encode_waves(waves, codec, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "codes.u16").write_bytes(b"")
    encode_waves(waves, codec, tmp_path)
    assert (tmp_path / "codes.u16").read_bytes() == b""
    (tmp_path / "index.jsonl").unlink()  # stopped before its end: made again
    encode_waves(waves, codec, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert all(json.loads(line)["length"] > 0 for line in before["index.jsonl"].decode().splitlines())


def test_a_folder_without_codes_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no codes in .*unisono data network"):
        CodeBank([tmp_path])
