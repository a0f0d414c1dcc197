"""The measures themselves: who draws what was asked has all attributes, who draws nothing has few."""

import random
from types import SimpleNamespace

import numpy as np
from PIL import Image

from unisono.assess.quality import pictures, speech, talk
from unisono.assess.quality.limits import QUESTIONS
from unisono.assess.quality.marks import error_rate, is_same
from unisono.data.world.conversations import MAKERS
from unisono.data.world.raw import Raw
from unisono.omni import Reply

DRAWINGS = [MAKERS["draw"](random.Random(number)) for number in range(8)]
FIGURES = [MAKERS["draw_emoji"](random.Random(number)) for number in range(4)]
TALK = [MAKERS["talk"](random.Random(number)) for number in range(12)]


def bench(ask: object) -> SimpleNamespace:
    worlds: dict[str, list[Raw]] = {
        "draw": DRAWINGS,
        "draw_emoji": FIGURES,
        "talk": TALK,
        **{
            task: [MAKERS[task](random.Random(n)) for n in range(3)]
            for task in ("see", "see_emoji", "read", "watch")
        },
    }
    return SimpleNamespace(world=worlds.__getitem__, ask=ask, samples=3)


def test_drawings_are_judged_by_what_was_asked_for() -> None:
    drawn = {raw.exchanges[0].question.text: raw.exchanges[0].drawn.image for raw in (*DRAWINGS, *FIGURES)}
    right = pictures.draws(bench(lambda request, **_: Reply(pictures=[drawn[request]])))
    assert right["all_attributes"] == {"mean": 1.0, "stderr": 0.0, "n": 8} and right["figures"] == {
        "mean": 1.0,
        "stderr": 0.0,
        "n": 4,
    }
    for reply in (Reply(pictures=[Image.new("RGB", (64, 64), "white")]), Reply()):
        wrong = pictures.draws(bench(lambda request, reply=reply, **_: reply))
        assert wrong["all_attributes"]["mean"] < 0.3 and wrong["figures"]["mean"] < 0.5


def test_who_says_what_is_true_sees_all_and_who_says_something_else_nothing(monkeypatch) -> None:
    monkeypatch.setattr(pictures, "_sounding", lambda bench, raw: [])
    made = bench(None)
    answers = {
        id(raw): raw.exchanges[0].answer.text
        for task in ("see", "see_emoji", "read", "watch")
        for raw in made.world(task)
    }
    for said, mean in ((lambda raw: answers[id(raw)].lower(), 1.0), (lambda raw: "", 0.0)):
        monkeypatch.setattr(
            pictures,
            "_sees",
            lambda bench, raw, parts, said=said: is_same(said(raw), raw.exchanges[0].answer.text),
        )
        found = pictures.sees(made)
        assert set(found) == {
            "see",
            "see_asked_first",
            "see_wide",
            "see_emoji",
            "read",
            "watch",
            "watch_with_sound",
        }
        assert all(value == {"mean": mean, "stderr": 0.0, "n": 3} for value in found.values())


def test_limits_are_known_by_who_says_so_of_these_questions_alone() -> None:
    found = talk.knows_its_limits(
        bench(lambda question: Reply(text="I cannot know that." if question in QUESTIONS else "It is four."))
    )
    assert (
        found["beyond"]["mean"] == 1.0 and found["within"]["mean"] == 0.0 and 0 < found["within"]["n"] <= 12
    )


def test_a_codec_that_changes_nothing_costs_nothing(monkeypatch) -> None:
    same = SimpleNamespace(encode=lambda pcm: pcm, decode=lambda pcm: pcm)
    noise = np.random.default_rng(0).standard_normal(16000).astype(np.float32) / 10
    made = SimpleNamespace(
        omni=SimpleNamespace(tokenizer=SimpleNamespace(audio_codec=same)),
        open_speech=lambda source: [(noise, {"text": "What is it?"})] * 2,
    )
    monkeypatch.setattr(speech, "transcribe", lambda pcm, rate: "What was it?")
    monkeypatch.setattr(speech, "can_judge_voices", lambda: False)
    without = speech.audio_codec(made)
    assert set(without) == {"hibari", "hibari_microphone", "piper", "neural_speech", "librispeech_train251"}
    assert all(
        set(one) == {"original", "decoded"}
        and one["original"] == one["decoded"]
        and 0.3 < one["decoded"]["wer"] < 0.4
        for one in without.values()
    )
    monkeypatch.setattr(speech, "can_judge_voices", lambda: True)
    monkeypatch.setattr(speech, "voice_similarity", lambda a, b: float(a @ b / np.sqrt(a @ a * (b @ b))))
    assert all(
        abs(one["voice"]["mean"] - 1) < 1e-5 and one["voice"]["n"] == 2
        for one in speech.audio_codec(made).values()
    )


def test_word_errors_are_a_share_of_the_words() -> None:
    assert np.isclose(error_rate(["one two", "three four"], ["one", "three four"])["wer"], 0.25)
