"""What is spoken by whom: sentences of the small world and of open texts, and the voices that say them."""

import random
import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from unisono.data.speech.recordings import (
    iter_recordings,
)
from unisono.data.speech.voices import list_voices
from unisono.data.splits import split_of
from unisono.data.texts import read_lines

MAIN_VOICE = "heart"  # says every answer
OTHER_VOICES = (
    "slt",
    "joe",
)  # say the same third of the most frequent answers; joe is heard, but is no voice of replies
NUMBERED = (
    "The number is {}.",
    "Room {}.",
    "I count {}.",
    "Page {}, please.",
    "It costs {} euros.",
    "Take the bus {}.",
    "{} people came.",
)
ENGINES_BY_SPEED = (
    "espeak",
    "hibari",
    "flite",
    "piper",
    "kokoro",
)  # so that a build is useful long before its end
ASKERS = {"piper": 7, "hibari": 7, "flite": 20, "espeak": 20}  # how many voices of each engine ask


class Utterance(NamedTuple):
    """One sentence in one voice."""

    text: str
    voice: str


def askers() -> list[str]:
    """The voices that ask in training."""
    voices = list_voices()
    return [
        voice.name
        for engine, count in ASKERS.items()
        for voice in [v for v in voices if v.engine == engine][:count]
    ]


def plan_world(
    questions: dict[str, int],
    answers: dict[str, int],
    question_h: float = 14.0,
    answer_h: float = 16.0,
    seed: int = 1,
) -> list[tuple[str, list[Utterance]]]:
    """(role, utterances) in the order in which they are best spoken; the counts say how often each sentence
    is met.

    Questions: the more often asked, the more voices ask; the most frequent ones also in MAIN_VOICE, which
    else could hardly say one (asked to say "How many stars are there?", it was not understood, 2026-11-22).
    Answers: all in MAIN_VOICE; of the most frequent ones, a third in OTHER_VOICES. Three hours of answers
    were learned by heart (training .31, validation .62 nats an id, 2026-11-21), and eight still were (1.17
    and 1.85 a code, 2026-11-22).
    """
    rng = random.Random(seed)
    voices, names = list_voices(), askers()
    asked = [
        Utterance(text, name)
        for text in _most_frequent(questions, question_h, _num_askers)
        for name in rng.sample(names, min(len(names), _num_askers(questions[text])))
    ]
    answered = _most_frequent(answers, answer_h, lambda count: 1)
    some = [
        text
        for text in _most_frequent(answers, answer_h * 3 / 16, lambda count: 1)
        if crc32(text.encode()) // 100 % 3 == 0
    ]
    repeated = _most_frequent(questions, answer_h / 8, lambda count: 1)
    plan = [
        ("answer", [Utterance(text, MAIN_VOICE) for text in answered]),
        ("question", asked),
        ("question", [Utterance(text, MAIN_VOICE) for text in repeated]),
    ]
    plan += [("answer", [Utterance(text, voice) for text in some]) for voice in OTHER_VOICES]
    engines = {voice.name: ENGINES_BY_SPEED.index(voice.engine) for voice in voices}
    for _, utterances in plan:
        rng.shuffle(utterances)
        utterances.sort(key=lambda utterance: engines[utterance.voice])
    return plan


def plan_unheard(questions: dict[str, int], count: int = 300, seed: int = 1) -> list[Utterance]:
    """Frequent questions of the test split by voices that are never heard in training. (Kokoro's are heard,
    in neural_speech.)
    """
    rng, robots = random.Random(seed), unheard_voices()
    new = [text for text in questions if split_of(text) == "test"]
    frequent = sorted(new, key=lambda text: (-questions[text], crc32(text.encode())))[: 2 * count]
    texts = rng.sample(frequent, min(count, len(frequent)))
    return [Utterance(text, rng.choice(robots)) for text in texts]


def unheard_voices() -> list[str]:
    """espeak's later ones, but for those that differ from an earlier one in pace only."""
    robots = [voice for voice in list_voices() if voice.engine == "espeak"]
    asked, later = robots[: ASKERS["espeak"]], robots[ASKERS["espeak"] :]
    heard = {voice.params["voice"] for voice in asked}
    return [voice.name for voice in later if voice.params["voice"] not in heard]


def _num_askers(count: int) -> int:
    return max(1, round(0.7 * count**0.5))


def _most_frequent(counts: dict[str, int], hours: float, voices_of: Callable[[int], int]) -> list[str]:
    """The most frequent sentences that fit into so many hours, each spoken by `voices_of(count)` voices."""
    chosen, seconds = [], 0.0
    for text in sorted(counts, key=lambda text: (-counts[text], crc32(text.encode()))):
        seconds += expected_s(text) * voices_of(counts[text])
        if seconds > hours * 3600:
            break
        chosen.append(text)
    return chosen


def expected_s(text: str) -> float:
    """About how long it takes to say: twenty letters a second and a breath."""
    return 0.35 + len(text) / 20


def plan_sentences(
    shared_data_folder: Path, voices: list[str], hours: float, seed: int = 1
) -> list[Utterance]:
    """Sentences of open texts for about so many hours, each in one voice, none of them held out by
    neural_speech.
    """
    sentences = list(read_sentences(shared_data_folder))
    random.Random(f"{seed} {voices}").shuffle(sentences)
    plan, seconds = list[Utterance](), 0.0
    while seconds < hours * 3600 and sentences:
        text = sentences.pop()
        plan.append(Utterance(text, voices[len(plan) % len(voices)]))
        seconds += expected_s(text)
    return plan


@lru_cache(maxsize=1)
def read_sentences(shared_data_folder: Path) -> list[str]:
    """English sentences of 15 to 90 letters: Common Voice's prompts and the children's books, mostly short
    ones.
    """
    folder = Path(shared_data_folder) / "text"
    prompts = [
        row["text"]
        for row in read_lines(folder / "common_voice_sentences.jsonl.zst")
        if row["language"] == "en"
    ]
    books = [
        sentence
        for row in read_lines(folder / "childrens_books.jsonl.zst")
        for sentence in re.findall(r"[A-Z][^.!?#*|\n]{14,89}[.!?]", row["text"].replace("\n", " "))
    ]
    held_out = {item.facts.text for item in iter_recordings(shared_data_folder, "neural_speech", "test")}
    whole = [text for text in dict.fromkeys([*prompts, *books]) if 15 <= len(text) <= 90 and text.isascii()]
    return [
        text for text in whole if text not in held_out and (len(text) <= 55 or crc32(text.encode()) % 4 == 0)
    ]


def plan_words(shared_data_folder: Path, count: int) -> list[Utterance]:
    """ "It says nation.": the most frequent words of the open sentences in MAIN_VOICE. Of what Whisper
    misheard of the network's own speech,
    half were printed words that it had never said (2026-11-22)."""
    found = Counter(
        word
        for text in read_sentences(shared_data_folder)
        for word in re.findall(r"(?<![\w'-])[a-z]{2,9}(?![\w'-])", text)
    )
    words = sorted(found, key=lambda word: (-found[word], word))
    return [Utterance(f"It says {word}.", MAIN_VOICE) for word in words[:count]]


def plan_numbers(count: int, seed: int = 1) -> list[Utterance]:
    """ "Room 482.": numbers of up to three digits in MAIN_VOICE, none that the small world's tests say. Each
    of the rest had been said once, and
    five of six that were new to it were said wrongly (2026-11-29). The same one twice counts once when it is
    spoken.
    """
    rng = random.Random(f"{seed} numbers")
    numbers = [number for number in range(1000) if split_of(f"It says {number}.") == "train"]
    return [
        Utterance(rng.choice(NUMBERED).format(number), MAIN_VOICE)
        for number in (rng.choice(numbers) for _ in range(count))
    ]
