"""Corpora: spoken once, resumed where stopped, and readable as waves."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from unisono.data.speech import corpus, plans
from unisono.data.speech.corpus import (
    Spoken,
    build_corpus,
    perturb_digits,
    shard_folders,
    speak_digits,
    write_waves,
)
from unisono.data.speech.plans import Utterance, askers, plan_numbers, plan_unheard, plan_words, plan_world
from unisono.data.speech.recordings import DIGITS, Facts, Recording
from unisono.data.speech.voices import find_voice
from unisono.data.speech.waves import Waves
from unisono.data.splits import split_of

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs the program espeak-ng")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    sounds = [np.arange(n, dtype=np.int16) for n in (5, 1, 30)]
    write_waves(
        tmp_path / "a",
        [Spoken(pcm, {"text": str(len(pcm)), "voice": "v", "split": "train"}) for pcm in sounds],
    )
    waves = Waves([tmp_path / "a"], "train")
    assert [item["text"] for item in waves.items] == ["5", "1", "30"]
    for number, pcm in enumerate(sounds):
        assert np.allclose(waves.pcm(number) * 32768, pcm)


@needs_espeak
def test_a_build_speaks_only_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "SHARD_SIZE", 2)
    plan = [Utterance(f"Number {n}.", "espeak00") for n in ("one", "two", "three")]
    build_corpus(plan, tmp_path, role="question")
    assert [folder.name for folder in shard_folders(tmp_path)] == ["0000", "0001"]
    (tmp_path / "0001" / "index.jsonl").unlink()  # as if stopped before the second shard was whole
    build_corpus([*plan, Utterance("Number four.", "espeak01"), plan[0]], tmp_path, role="question")
    items = Waves(shard_folders(tmp_path), None).items
    assert sorted(item["text"] for item in items) == sorted(
        f"Number {n}." for n in ("one", "two", "three", "four")
    )
    assert all(
        item["role"] == "question" and item["phonemes"] and item["source"] == "espeak" for item in items
    )
    before = len(shard_folders(tmp_path))
    build_corpus(plan, tmp_path)
    assert len(shard_folders(tmp_path)) == before


def test_digits_are_said_at_other_speeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = Recording(
        np.sin(np.arange(8000) / 9).astype(np.float32), Facts("seven", "fsdd_george", "train"), "fsdd", {}
    )
    monkeypatch.setattr(corpus, "iter_recordings", lambda shared, name, split, scale: iter([said]))
    monkeypatch.setattr(corpus, "phonemes", lambda texts: [["s"] for _ in texts])
    perturb_digits(tmp_path, tmp_path / "digits")
    items = Waves([tmp_path / "digits"], "train").items
    assert [item["length"] for item in items] == pytest.approx(
        [8000 / factor for factor in corpus.DIGIT_SPEEDS], abs=2
    )
    assert {item["text"] for item in items} == {"seven"} and len({item["voice"] for item in items}) == len(
        items
    )


def test_digits_are_said_by_those_who_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "speak", lambda text, voice: np.ones(8000, np.float32))
    monkeypatch.setattr(corpus, "phonemes", lambda texts: [["s"] for _ in texts])
    speak_digits(tmp_path / "digits", scale=2 / len(askers()))
    waves = Waves([tmp_path / "digits"], "train")
    assert len(waves) == 2 * len(DIGITS) * len(corpus.DIGIT_PACES) and {
        item["text"] for item in waves.items
    } == set(DIGITS)
    lengths = [item["length"] for item in waves.items]
    assert (
        all(min(abs(length - 8000 / pace) for pace in corpus.DIGIT_PACES) < 2 for length in lengths)
        and max(lengths) - min(lengths) > 2000
    )


def test_half_of_the_digits_come_by_telephone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hiss = np.random.default_rng(0).standard_normal(8000).astype(np.float32) / 10
    monkeypatch.setattr(corpus, "speak", lambda text, voice: hiss)
    monkeypatch.setattr(corpus, "phonemes", lambda texts: [["s"] for _ in texts])
    speak_digits(tmp_path / "digits", scale=2 / len(askers()))
    waves, shares = Waves([tmp_path / "digits"], "train"), []
    for number in range(len(waves)):
        power = np.square(np.abs(np.fft.rfft(waves.pcm(number))))
        shares.append(power[int(len(power) * 0.55) :].sum() / power.sum())  # above 4.4 kHz
    assert 30 < sum(share < 0.01 for share in shares) < 70 and sum(share > 0.2 for share in shares) > 20
    written = (tmp_path / "digits" / "pcm.i16").stat().st_mtime_ns
    speak_digits(tmp_path / "digits")
    assert (tmp_path / "digits" / "pcm.i16").stat().st_mtime_ns == written


def test_frequent_questions_get_more_voices_and_some_answers_every_reply_voice() -> None:
    questions, answers = {"What is it?": 100, "Who?": 1}, {f"Answer number {n}.": 1 for n in range(30)}
    plan = plan_world(questions, answers)
    asked = [utterance for role, part in plan if role == "question" for utterance in part]
    assert sum(u.text == "What is it?" for u in asked) == 8 and sum(u.text == "Who?" for u in asked) == 2
    assert {Utterance(text, "heart") for text in questions} <= set(asked)
    answered = {(u.text, u.voice) for role, part in plan if role == "answer" for u in part}
    assert all((text, "heart") in answered for text in answers)
    others = [{text for text, voice in answered if voice == other} for other in ("slt", "joe")]
    assert others[0] == others[1] and 0 < len(others[0]) < 30
    assert plan == plan_world(questions, answers)
    assert sum(
        len(part) for role, part in plan_world(questions, answers, answer_h=20 / 3600) if role == "answer"
    ) < len(answered)


def test_unheard_voices_ask_nothing_in_training() -> None:
    questions = {f"Question number {n}?": 50 for n in range(300)}
    heard = {u.voice for role, part in plan_world(questions, {}) if role == "question" for u in part}
    plan = plan_unheard(questions)
    unheard = {u.voice for u in plan}
    assert plan and not heard & unheard and {split_of(u.text) for u in plan} == {"test"}
    accents = [
        {find_voice(name).params["voice"] for name in names if name.startswith("espeak")}
        for names in (heard, unheard)
    ]
    assert len(accents[1]) > 3 and not accents[0] & accents[1]


def test_words_that_are_often_read_are_said_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        plans,
        "read_sentences",
        lambda folder: [
            "The nation didn't see the sea.",
            "Well-known: a nation, a sea in May.",
            "The nation.",
        ],
    )
    said = [(f"It says {word}.", "heart") for word in ("nation", "sea", "in", "see", "the")]
    assert plan_words(Path("shared"), 9) == said and plan_words(Path("shared"), 2) == said[:2]


def test_numbers_are_none_that_the_tests_say() -> None:
    said = plan_numbers(500)
    numbers = {"".join(filter(str.isdigit, utterance.text)) for utterance in said}
    assert len(numbers) > 200 and all(split_of(f"It says {number}.") == "train" for number in numbers)
    assert {utterance.voice for utterance in said} == {corpus.MAIN_VOICE} and said == plan_numbers(500)
