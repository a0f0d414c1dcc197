"""Whatever the dice say, a reply that follows the grammar can be decoded."""

import numpy as np
import pytest

from unisono.core.errors import UserError
from unisono.engine.grammar import MAX_THOUGHTS, Grammar, Rules
from unisono.tokens.vocab import Vocabulary

VOCAB = Vocabulary(text_size=100, audio_size=50, image_size=40)
TEXT = 5
EVERYTHING = frozenset({"text", "audio", "image"})


def code(modality: str, number: int = 0) -> int:
    return VOCAB.span(modality).start + number


def begin(**rules: object) -> Grammar:
    return Grammar(VOCAB, Rules(**rules))  # type: ignore[arg-type]


def names(ids: list[int]) -> str:
    """One letter per id: t text, a audio, i image, and the structure as brackets."""
    letters = {
        "<|begin_audio|>": "(",
        "<|end_audio|>": ")",
        "<|begin_image|>": "[",
        "<|end_image|>": "]",
        "<|begin_call|>": "{",
        "<|end_call|>": "}",
        "<|begin_thought|>": "<",
        "<|end_thought|>": ">",
        "<|end|>": ".",
    }
    return "".join(letters.get(VOCAB.name(id)) or VOCAB.modality(id)[0] for id in ids)


def random_reply(grammar: Grammar, seed: int, limit: int = 400) -> list[int]:
    """Ids drawn evenly from what is allowed, structure favoured so that all of it occurs."""
    random, ids = np.random.default_rng(seed), []
    while not grammar.done and len(ids) < limit:
        pieces = sorted(grammar.allowed())
        piece = pieces[random.integers(len(pieces))]
        id = code(piece, int(random.integers(40))) if piece in EVERYTHING else VOCAB.id(piece)
        assert grammar.mask()[id]
        grammar.advance(id)
        ids.append(id)
    return ids


def test_a_written_reply_is_text_and_end() -> None:
    mask = begin().mask()
    allowed = set(np.flatnonzero(mask))
    assert allowed == set(range(VOCAB.span("text").start, VOCAB.span("text").start + 100)) | {
        VOCAB.id("<|end|>")
    }
    assert len(mask) == VOCAB.size and mask is begin().mask()  # cached


def test_a_picture_is_exactly_its_codes() -> None:
    grammar = begin(outputs=EVERYTHING)
    grammar.advance(VOCAB.id("<|begin_image|>"))
    for number in range(64):
        assert grammar.modality == "image" and grammar.allowed() == {"image"}
        with pytest.raises(ValueError, match=r"<\|end_image\|> may not follow here; expected image"):
            grammar.advance(VOCAB.id("<|end_image|>"))
        grammar.advance(code("image", number % 40))
    assert grammar.allowed() == {"<|end_image|>"}
    grammar.advance(VOCAB.id("<|end_image|>"))
    assert grammar.allowed() == {"text", "<|end|>"}  # one picture per reply unless told otherwise


def test_speech_lasts_as_long_as_its_words_may_need() -> None:
    grammar = begin(outputs={"text", "audio"}, max_audio_frames=200, frames_per_text_id=10, spare_frames=40)
    for num_words, most in ((2, 40 + 20), (30, 200)):
        for _ in range(num_words):
            grammar.advance(TEXT)
        grammar.advance(VOCAB.id("<|begin_audio|>"))
        count = 0
        while "audio" in grammar.allowed():
            grammar.advance(code("audio", count % 40))
            count += 1
        assert count == most and grammar.allowed() == {"<|end_audio|>"}
        grammar.advance(VOCAB.id("<|end_audio|>"))


def test_a_codec_of_half_the_rate_has_half_the_frames() -> None:
    for rules in (Rules.spoken([[1]], 50.0), Rules.usual(frozenset({"audio"}), 4, 50.0)):
        assert (rules.max_audio_frames, rules.frames_per_text_id, rules.spare_frames) == (600, 25, 40)
    slow = Rules.spoken([[1]], 25.0)
    assert (slow.max_audio_frames, slow.frames_per_text_id, slow.spare_frames) == (300, 12, 20)


def test_speech_follows_the_text_that_it_speaks() -> None:
    grammar = begin(outputs={"text", "audio"}, max_audio_frames=3)
    assert grammar.allowed() == {"text", "<|end|>"}
    grammar.advance(TEXT)
    assert grammar.allowed() == {"text", "<|begin_audio|>", "<|end|>"}
    grammar.advance(VOCAB.id("<|begin_audio|>"))
    assert grammar.allowed() == {"audio"}  # never empty
    for number in range(3):
        grammar.advance(code("audio", number))
    assert grammar.allowed() == {"<|end_audio|>"}
    grammar.advance(VOCAB.id("<|end_audio|>"))
    assert grammar.allowed() == {"text", "<|end|>"}


def test_what_is_forced_must_come() -> None:
    grammar = begin(outputs={"text", "image"}, force_image=True, max_text_ids=2)
    assert grammar.allowed() == {"text", "<|begin_image|>"}
    grammar.advance(TEXT)
    grammar.advance(TEXT)
    assert grammar.allowed() == {"<|begin_image|>"}
    spoken = begin(outputs={"text", "audio"}, force_audio=True)
    assert spoken.allowed() == {"text"}
    spoken.advance(TEXT)
    assert spoken.allowed() == {"text", "<|begin_audio|>"}
    assert begin(outputs={"image"}, force_image=True).allowed() == {"<|begin_image|>"}


def test_words_that_are_given_are_written_and_spoken_one_by_one() -> None:
    script, ids, seen = [(5, 9), (7,)], [], []
    grammar = Grammar(VOCAB, Rules.spoken(script, 50.0))
    while not grammar.done:
        allowed = np.flatnonzero(grammar.mask())
        seen.append(len(allowed))
        ids.append(int(allowed[0]) if grammar.mode == "text" or grammar.num_codes > 2 else code("audio"))
        grammar.advance(ids[-1])
    assert names(ids) == "tt(aaa)t(aaa)." and [id for id in ids if VOCAB.modality(id) == "text"] == [5, 9, 7]
    assert seen[:3] == [1, 1, 1]  # nothing else may come in place of what is given


def test_what_was_thought_is_said_word_by_word_and_then_drawn() -> None:
    rules = Rules.usual(
        frozenset({"text", "audio", "image"}),
        4,
        50.0,
        words_of=lambda thought: tuple((id,) for id in thought[1:]),
    )
    grammar = Grammar(VOCAB, rules).replay(
        [VOCAB.id("<|begin_thought|>"), 3, 5, 9, VOCAB.id("<|end_thought|>")]
    )
    ids = []
    while grammar.allowed() != {"<|begin_image|>", "<|end|>"}:
        (mask,) = np.nonzero(grammar.mask())
        ids.append(int(mask[0]) if grammar.mode == "text" or grammar.num_codes > 2 else code("audio"))
        grammar.advance(ids[-1])
    assert names(ids) == "t(aaa)t(aaa)" and [id for id in ids if VOCAB.modality(id) == "text"] == [5, 9]
    grammar.advance(VOCAB.id("<|begin_image|>"))
    silent = Grammar(VOCAB, Rules.usual(frozenset({"text"}), 4, 50.0, words_of=rules.words_of)).replay(
        [VOCAB.id("<|begin_thought|>"), 3, 5, VOCAB.id("<|end_thought|>")]
    )
    assert "text" in silent.allowed() and not silent.script  # nothing has to be said aloud


def test_a_thought_comes_first_and_once() -> None:
    assert "<|begin_thought|>" not in begin().allowed()
    grammar = begin(outputs=EVERYTHING, thoughts=True, force_audio=True)
    assert "<|begin_thought|>" in grammar.allowed()
    grammar.advance(VOCAB.id("<|begin_thought|>"))
    for _ in range(MAX_THOUGHTS):
        assert grammar.allowed() == {"text", "<|end_thought|>"} and grammar.modality == "thought"
        grammar.advance(TEXT)
    assert grammar.allowed() == {"<|end_thought|>"} and names(grammar.copy().closing()) == ">."
    grammar.advance(VOCAB.id("<|end_thought|>"))
    assert (
        grammar.allowed() == {"text", "<|begin_image|>"} and grammar.num_text_ids == 0
    )  # nothing of it has to be spoken
    spoken = begin(outputs={"text", "audio"}, thoughts=True)
    spoken.advance(TEXT)
    assert "<|begin_thought|>" not in spoken.allowed()


def test_calls_hold_text() -> None:
    grammar = begin(calls=True)
    grammar.advance(VOCAB.id("<|begin_call|>"))
    assert grammar.allowed() == {"text", "<|end_call|>"} and grammar.modality == "text"
    assert "<|begin_call|>" not in begin().allowed()


@pytest.mark.parametrize(
    "rules",
    [
        dict(outputs=EVERYTHING, max_audio_frames=20),
        dict(outputs=EVERYTHING, thoughts=True, force_image=True),
        dict(outputs=EVERYTHING, force_image=True, force_audio=True),
        dict(outputs={"audio", "image"}, max_images=3),
        dict(outputs={"text", "image"}, max_text_ids=5, calls=True),
        dict(outputs={"text", "audio"}, max_text_ids=3, force_audio=True, max_audio_frames=5),
    ],
)
@pytest.mark.parametrize("seed", range(8))
def test_random_replies_are_well_formed(rules: dict, seed: int) -> None:
    import re

    grammar = begin(**rules)
    ids = random_reply(grammar, seed)
    ids += grammar.closing() if grammar.mode != "image" else []
    if grammar.mode != "image":
        pattern = r"(<t*>)?(t|\(a+\)|\[i{64}\]|\{t*\})*\."
        assert re.fullmatch(pattern, names(ids)), names(ids)
    if grammar.done and rules.get("force_image"):
        assert "[" in names(ids)
    if grammar.done and rules.get("force_audio"):
        assert "(" in names(ids) and not re.search(r"t[^(]*$", names(ids)), names(ids)


def test_after_the_end_nothing_follows() -> None:
    grammar = begin()
    grammar.advance(VOCAB.id("<|end|>"))
    assert grammar.done and not grammar.mask().any() and grammar.closing() == []
    with pytest.raises(ValueError, match="the reply has ended"):
        grammar.advance(TEXT)
    with pytest.raises(ValueError, match="may not follow"):
        begin().advance(10**6)


def test_an_interrupted_reply_can_be_closed() -> None:
    grammar = begin(outputs=EVERYTHING).replay([TEXT, VOCAB.id("<|begin_audio|>"), code("audio")])
    assert names(grammar.closing()) == ")."
    copy = grammar.copy()
    copy.advance(VOCAB.id("<|end_audio|>"))
    assert grammar.mode == "audio" and copy.mode == "text"
    with pytest.raises(ValueError, match="cannot be cut short"):
        begin(outputs=EVERYTHING).replay([VOCAB.id("<|begin_image|>"), code("image")]).closing()


@pytest.mark.parametrize(
    "rules, message",
    [
        (dict(outputs={"smell"}), "outputs must be some of"),
        (dict(outputs=set()), "outputs must be some of"),
        (dict(force_image=True), "force_image needs 'image'"),
        (dict(max_text_ids=0), "max_text_ids must be at least 1"),
    ],
)
def test_impossible_rules_are_refused(rules: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Rules(**rules)
