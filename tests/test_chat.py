"""The terminal: lines with paths, commands, and faults that leave the conversation as it was."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import drawing
from PIL import Image
from rich.console import Console

from unisono import chat
from unisono.chat import ChatOptions, Talker, _path_first, blocks, parse_line, parse_outputs
from unisono.core.errors import UserError
from unisono.media import Footage, Sound
from unisono.omni import Omni
from unisono.tokenizer import TextDelta

Media = Callable[[str], Path]


@pytest.fixture(scope="module")
def omni(tiny_network: Path) -> Omni:
    return Omni(tiny_network)


@pytest.fixture
def talker(omni: Omni, tmp_path: Path) -> Talker:
    """A conversation whose terminal is a string: `talker.console.file.getvalue()`."""
    arguments = ChatOptions(
        out="text", voice="heart", save=str(tmp_path / "replies"), seed=1, quiet=True, timing=False
    )
    return Talker(omni, arguments, Console(file=io.StringIO(), width=200))


def shown(talker: Talker) -> str:
    return talker.console.file.getvalue()  # type: ignore[attr-defined]


def typed(talker: Talker, *lines: str) -> str:
    """What the terminal shows after these lines."""
    chat._loop(talker, lines)
    return shown(talker)


def test_outputs() -> None:
    assert parse_outputs("text") == ("text",) and parse_outputs(" text, image,") == ("text", "image")
    for wrong in ("", ",", "text,smell", "Text"):
        with pytest.raises(UserError, match="outputs are made of text, audio, image"):
            parse_outputs(wrong)


@pytest.mark.parametrize(
    "line",
    [
        "Hello there",
        "what's this?",
        "don't and can't",
        'she said "no',
        "a.b c.xyz",
        "~nobody-of-this-name.png",
        "x" * 5000 + ".png",
        "3.14 is pi",
        "see http://a.example/cat.png",
        "\\",
        "tab\tand  spaces",
    ],
)
def test_words_stay_words(line: str) -> None:
    assert parse_line(line) == [line]


def test_nothing_is_nothing() -> None:
    assert parse_line("") == parse_line("   ") == []


def test_paths_in_a_line_are_attached(media: Media, tmp_path: Path) -> None:
    odd = tmp_path / "my cat's.png"
    drawing().save(odd)
    for line in (
        f"what is this? {media('a.png')}",
        f"{media('a.png')} what is this?",
        f"what is '{media('a.png')}' this?",
    ):
        picture, words = parse_line(line)
        assert isinstance(picture, Image.Image) and words.split() == ["what", "is", "this?"]
    assert isinstance(parse_line(f'"{odd}"')[0], Image.Image) and len(parse_line(f'"{odd}"')) == 1
    kinds = [type(part) for part in parse_line(f"{media('a.wav')} {media('a.mp4')} and {media('a.png')}")]
    assert kinds[:2] == [Sound, Footage] and kinds[3] is str


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("what is in cat.png?", "what is in?"),
        ("look: cat.png, please", "look: please"),
        ('what\'s in "my cat.png"', "what's in"),
        ('what\'s in "my cat.png"?', "what's in?"),
        ("what is in 'my cat.png'!", "what is in!"),
        ("a cat (cat.png).", "a cat"),
        ("./cat.png?", None),
        ("don't look at ./cat.png...", "don't look at"),
    ],
)
def test_a_path_among_marks_is_attached(
    tmp_path: Path, line: str, words: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("cat.png", "my cat.png"):
        drawing().save(name)
    picture, *rest = parse_line(line)
    assert isinstance(picture, Image.Image) and rest == ([words] if words else [])


def test_a_readable_path_with_bad_content_is_explained(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("only text")
    with pytest.raises(UserError, match="not a picture"):
        parse_line(f"look {tmp_path / 'text.png'}")
    (tmp_path / "notes.txt").write_text("only text")
    with pytest.raises(UserError, match="cannot tell"):
        parse_line(f"look {tmp_path / 'notes.txt'}")


def test_turns_and_commands(talker: Talker, media: Media) -> None:
    typed(
        talker,
        "Hello",
        "",
        f"/image {media('a.png')} what is this?",
        f"/audio {media('a.wav')}",
        "/voice heart",
        "/out text,audio",
        "Say: good morning.",
        "/new",
        "/help",
        "/out image",
        "Draw a red circle.",
        "/quit",
        "never said",
    )
    assert talker.number == 5 and talker.voice == "heart" and talker.outputs == ("image",)
    assert {path.name for path in talker.folder.iterdir()} == {"reply4.wav", "reply5.png"}
    with Image.open(talker.folder / "reply5.png") as drawn:
        assert drawn.size == (256, 256)
    assert "/mic [SECONDS]" in shown(talker) and "spoken, " in shown(talker)
    assert [line for line in shown(talker).splitlines() if line.startswith("drawn: ")] == [
        f"drawn: {talker.folder / 'reply5.png'}"
    ]


def test_a_voice_that_is_not_there_changes_nothing(talker: Talker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talker.omni.tokenizer, "voices", ["heart"])
    talker.voice = "heart"
    assert "heart" in typed(talker, "/out text,audio", "Hello", "/voice bob", "And now?")
    assert talker.voice == "heart" and talker.outputs == ("text", "audio") and talker.number == 2


def test_faults_leave_the_conversation_as_it_was(talker: Talker, tmp_path: Path) -> None:
    typed(talker, "Hello")
    assert talker.conversation
    before = list(talker.conversation.session.ids)
    found = typed(
        talker,
        "/image none.png",
        "/audio",
        "/video " + str(tmp_path),
        "/out smell",
        "/image ~nobody-of-this-name/a.png",
        "It says 42. " * 500,
        "/image " + "x" * 5000,
    )
    for words in (
        "no file none.png",
        "is a folder",
        "outputs are made of",
        "no file ~nobody",
        "too long",
        "cannot read",
    ):
        assert words in found
    assert talker.conversation.session.ids == before
    typed(talker, "And now?")
    assert talker.conversation.session.length > len(before)


def test_square_brackets_are_only_brackets(talker: Talker, tmp_path: Path) -> None:
    talker.folder = tmp_path / "of [bold]cat[/x]"
    found = typed(
        talker,
        "/out [/b]",
        "/image cat[/x].png",
        "/image photo[final].png",
        "/out image",
        "Draw a red circle.",
    )
    assert "got [/b]" in found and "no file cat[/x].png" in found and "no file photo[final].png" in found
    assert f"drawn: {talker.folder / 'reply1.png'}" in found


def test_the_terminal_obeys_nobody(talker: Talker, monkeypatch: pytest.MonkeyPatch) -> None:
    talker.restart()
    assert talker.conversation
    monkeypatch.setattr(
        talker.conversation, "stream", lambda *parts: iter([TextDelta("red\x1b[31m \x9b2J\nend")])
    )
    talker.say(["Hello"])
    assert shown(talker) == "red\u241b[31m \ufffd2J\nend\n" and "\x1b" not in typed(
        talker, "/image \x1b[31m.png"
    )


def test_an_interrupted_turn_does_not_end_the_chat(talker: Talker, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(talker.console, "out", lambda text, **_: stop() if text else None)
        with pytest.raises(KeyboardInterrupt):
            talker.say(["Hello"])
    assert (
        talker.conversation
        and talker.omni.tokenizer.vocab.name(talker.conversation.session.ids[-1]) == "<|end|>"
    )
    typed(talker, "Hello again")


@pytest.mark.parametrize("output", ["audio", "image"])
def test_a_folder_that_cannot_be_made_is_explained(talker: Talker, tmp_path: Path, output: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    for place in ("file", "file/below"):
        talker.folder = tmp_path / place
        assert "cannot make the folder" in typed(talker, f"/out {output}", "Draw a red circle.")


def test_replies_of_an_earlier_run_stay(talker: Talker) -> None:
    talker.folder.mkdir()
    for number in (1, 2):
        (talker.folder / f"reply{number}.png").write_text("old")
    typed(talker, "/out image", "Draw a red circle.", "And another.")
    assert sorted(path.name for path in talker.folder.iterdir()) == [
        "reply1.png",
        "reply2.png",
        "reply3.png",
        "reply4.png",
    ]
    assert (talker.folder / "reply2.png").read_text() == "old"


def test_a_written_reply_leaves_nothing_behind(
    omni: Omni, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    arguments = ChatOptions(out="text", voice="heart", save=None, seed=1, quiet=True, timing=False)
    Talker(omni, arguments, Console(file=io.StringIO())).say(["Hello."])
    assert not list(tmp_path.iterdir())


def test_pictures_as_blocks() -> None:
    found = blocks(Image.fromarray(np.zeros((64, 64, 3), np.uint8)), width=8)
    assert found.plain == ("▀" * 8 + "\n") * 4 and "rgb(0,0,0) on rgb(0,0,0)" in str(found.spans[0].style)


def test_without_a_recorder_the_microphone_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match="no recorder found; install alsa-utils"):
        chat.record(1.0)


def test_nobody_speaks_for_longer_than_is_heard(talker: Talker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "_recorded", lambda *_: pytest.fail("recorded"))
    assert "at most 60 s at a time, got 120" in typed(talker, "/mic 120")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("a.png", ("a.png", "")),
        ("a.png what's this?", ("a.png", "what's this?")),
        ("'my cat.png' who?", ("my cat.png", "who?")),
        ('"my cat.png"', ("my cat.png", "")),
        (r"my\ cat.png who?", ("my cat.png", "who?")),
        ("", ("", "")),
    ],
)
def test_a_path_after_a_command_may_have_spaces(line: str, found: tuple[str, str]) -> None:
    assert _path_first(line) == found
