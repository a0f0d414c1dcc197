"""Text and its ids: every string has an encoding, none becomes a special id, streams never cut a
character.
"""

import random
from pathlib import Path

import pytest

from unisono.core.errors import UserError
from unisono.tokens.text import TextTokenizer, words
from unisono.tokens.vocab import SPECIALS

LETTERS = "\U0001f600\U0001f601\U0001f602日本語éß ab1\n\ufffd"
STRINGS = [
    "",
    " ",
    "\n\n\t ",
    "Hello, world!",
    "it's  two   spaces",
    "12345",
    "naïve café",
    "日本語のテキスト",
    "مرحبا",
    "\U0001f9d1‍\U0001f680",
    "\0\x01\x7f\x80",
    "\ufeff\uffff\ufffd",
    "a\u0301 e\u0301",
    "\r\n mixed \r",
    "x" * 3000,
    "".join(map(chr, range(1, 1000))),
]


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    """Trained on emoji and Japanese too, so that some of its pieces begin or end inside a character."""
    return TextTokenizer.train(
        ["\U0001f600\U0001f601\U0001f602" * 3 + "日本語日本語"] * 50 + ["Hello world, it's me."], 400
    )


@pytest.mark.parametrize("text", STRINGS)
def test_round_trip(tokenizer: TextTokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text and all(0 <= id < tokenizer.size for id in ids)
    stream = tokenizer.stream()
    assert "".join(map(stream.push, ids)) + stream.flush() == text


def test_every_byte_has_its_own_piece(tokenizer: TextTokenizer) -> None:
    assert {tokenizer.piece(id) for id in range(tokenizer.size)} >= {bytes([byte]) for byte in range(256)}
    assert tokenizer.piece(tokenizer.size) == b""
    plain = TextTokenizer.train([], 256)
    assert plain.size == 256
    for text in STRINGS:
        ids = plain.encode(text)
        assert b"".join(map(plain.piece, ids)) == text.encode() and plain.decode(ids) == text


def test_an_emoji_cut_across_ids_comes_in_one_piece() -> None:
    plain = TextTokenizer.train([], 256)
    ids, stream = plain.encode("a\U0001f600b"), plain.stream()
    assert [stream.push(id) for id in ids] == ["a", "", "", "", "\U0001f600", "b"] and stream.flush() == ""
    for id in ids[:3]:
        stream.push(id)
    assert stream.flush() == "\ufffd" and stream.flush() == ""
    assert stream.push(ids[0]) == "a"  # nothing of what was flushed comes back


def test_streams_equal_the_whole_for_any_ids(tokenizer: TextTokenizer) -> None:
    rng = random.Random(1)
    pieces = [tokenizer.piece(id) for id in range(tokenizer.size)]
    assert any(
        piece[0] < 0xC0 <= max(piece) for piece in pieces if piece[0] >= 0x80
    )  # the end of one, the start of another
    for number in range(500):
        ids = (
            tokenizer.encode("".join(rng.choices(LETTERS, k=12)))
            if number % 2
            else [rng.randrange(tokenizer.size) for _ in range(10)]
        )
        stream = tokenizer.stream()
        assert "".join(map(stream.push, ids)) + stream.flush() == tokenizer.decode(ids)


def test_what_looks_special_stays_text(tokenizer: TextTokenizer) -> None:
    for text in (*SPECIALS, "<|t:0.5|>", "<|audio_3|>", "<s></s>[INST]", "<|end|>" * 20):
        ids = tokenizer.encode(text)
        assert len(ids) > 1 and tokenizer.decode(ids) == text


def test_lone_surrogates_become_question_marks(tokenizer: TextTokenizer) -> None:
    assert tokenizer.decode(tokenizer.encode("a\ud83db\udcff")) == "a?b?"


def test_digits_stand_alone(tokenizer: TextTokenizer) -> None:
    trained = TextTokenizer.train(["2024 2024 2024"] * 50, 400)
    assert len(trained.encode("2024")) == 4


def test_on_disk(tokenizer: TextTokenizer, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    again = TextTokenizer.load(path)
    assert again.size == tokenizer.size and all(
        again.encode(text) == tokenizer.encode(text) for text in STRINGS
    )
    path.write_text(path.read_text()[:500])
    with pytest.raises(UserError, match="not a tokenizer.json"):
        TextTokenizer.load(path)
    with pytest.raises(UserError, match="no tokenizer"):
        TextTokenizer.load(tmp_path / "none.json")


def test_too_small_a_vocabulary_is_refused() -> None:
    with pytest.raises(UserError, match="at least 256"):
        TextTokenizer.train(["a"], 255)


def test_words_before_any_number_of_blanks() -> None:
    assert words("a b" + " \n" * 300_000) == [
        "a",
        " b",
    ]  # looked at one by one from each of them, they took many minutes


@pytest.mark.parametrize(
    "text, found",
    [
        ("Yes, there is - a star!", ["Yes,", " there", " is -", " a", " star!"]),
        ("...", ["..."]),
        (" \n", []),
        ("\u00bfQu\u00e9?  No", ["\u00bfQu\u00e9?", "  No"]),
    ],
)
def test_words_keep_their_blanks_and_marks(text: str, found: list[str]) -> None:
    assert words(text) == found


@pytest.mark.parametrize("text", ["", "It says grow.", " 211!", "na\u00efve \u65e5\u672c \U0001f600"])
def test_spelled_text_is_the_same_text(tokenizer: TextTokenizer, text: str) -> None:
    ids = tokenizer.spell(text)
    assert tokenizer.decode(ids) == text and len(ids) >= len(text)
