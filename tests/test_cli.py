"""The command line as people meet it: help, one question, bad files, odd pipes; one line on standard error,
never a traceback.
"""

import errno
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

import unisono
from unisono.chat import Talker
from unisono.cli import entry, main
from unisono.media import read_sound

Media = Callable[[str], Path]

COMMAND = [sys.executable, "-m", "unisono.cli"]


def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """The real program in its own process."""
    options = {"encoding": "utf8", "stdout": subprocess.PIPE, "cwd": Path(__file__).parent.parent, **options}
    if "input" not in options:
        options["stdin"] = subprocess.DEVNULL
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], stderr=subprocess.PIPE, check=False, timeout=300, **options
    )  # type: ignore[call-overload]


@pytest.mark.parametrize("command", ["", "chat", "show", "data", "train", "bench"])
def test_help(command: str) -> None:
    done = run(*command.split(), "--help")
    assert (
        done.returncode == 0
        and done.stdout.startswith(f"usage: unisono {command}".strip())
        and not done.stderr
    )


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["sing"],
        ["chat", "--engine", "steam"],
        ["chat", "--seed", "x"],
        ["train", "cat"],
        ["data", "speech"],
    ],
)
def test_a_wrong_call_prints_the_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2 and "usage: unisono" in capsys.readouterr().err


def test_one_question_with_everything_attached(tiny_network: Path, media: Media, tmp_path: Path) -> None:
    done = run(
        "chat",
        "--model",
        tiny_network,
        "--image",
        media("a.png"),
        "--image",
        media("a.jpg"),
        "--audio",
        media("a.wav"),
        "--video",
        media("a.mp4"),
        "--out",
        "text,audio,image",
        "--save",
        tmp_path / "new",
        "--seed",
        1,
        "What",
        "is this?",
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert {path.name for path in (tmp_path / "new").iterdir()} <= {"reply1.wav", "reply1.png"}
    sound = read_sound(tmp_path / "new" / "reply1.wav")
    assert sound.sample_rate == 16000 and sound.seconds > 0
    assert f"spoken, {sound.seconds:.1f} s: {tmp_path / 'new' / 'reply1.wav'}" in done.stdout.splitlines()


def test_a_question_from_a_pipe_in_any_bytes(tiny_network: Path) -> None:
    env = {**os.environ, "PYTHONIOENCODING": "ascii:strict"}
    done = run("chat", "--model", tiny_network, input="caf\udce9 \udcff?", errors="surrogateescape", env=env)
    assert done.returncode == 0 and not done.stderr and done.stdout.strip() and done.stdout.isascii()


def test_without_standard_input(tiny_network: Path) -> None:
    program = (
        f"import os, sys; os.close(0); os.execv(sys.executable, "
        f"{[*COMMAND, 'chat', '--model', str(tiny_network)]} + sys.argv[1:])"
    )
    asked, silent = (
        subprocess.run(
            [sys.executable, "-c", program, *more],
            capture_output=True,
            encoding="utf8",
            check=False,
            timeout=300,
            cwd=Path(__file__).parent.parent,
        )
        for more in (["Hi"], [])
    )
    assert asked.returncode == 0 and not asked.stderr and asked.stdout.strip()
    assert silent.returncode == 2 and "nothing was asked" in silent.stderr


@pytest.mark.parametrize("piped, said", [("What is this?\n", ["What is this?"]), ("\n", [])])
def test_a_piped_question_beside_an_attachment(
    piped: str, said: list[str], tiny_network: Path, media: Media, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: list[object] = []
    monkeypatch.setattr(Talker, "say", lambda talker, given: parts.extend(given))
    monkeypatch.setattr(sys, "stdin", io.StringIO(piped))
    assert main(["chat", "--model", str(tiny_network), "--image", str(media("a.png"))]) == 0
    assert isinstance(parts[0], Image.Image) and parts[1:] == said


def test_a_question_that_never_ends(
    tiny_network: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Endless(io.StringIO):
        def read(self, size: int | None = -1) -> str:
            assert size and size > 0
            return "a" * size

    monkeypatch.setattr(sys, "stdin", Endless())
    assert "the conversation is too long" in complaint(capsys, "chat", "--model", tiny_network)
    assert "the conversation is too long" in complaint(capsys, "show", "--model", tiny_network, "a" * 100_000)


def test_a_bad_file_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("This is only text.\n" * 9)
    done = run("chat", "--image", tmp_path / "text.png", "What is this?")
    assert done.returncode == 2 and not done.stdout
    assert (
        done.stderr.startswith(f"unisono: {tmp_path / 'text.png'} is not a picture")
        and done.stderr.count("\n") == 1
    )


def test_a_full_standard_output(tiny_network: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with open("/dev/full", "w") as full:
        done = run("show", "--model", tiny_network, "Hello", stdout=full)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "No space left on device" in done.stderr


def test_closed_output_is_no_success() -> None:
    for arguments in ("show Hello", "--version"):
        command = f"'{sys.executable}' -m unisono.cli {arguments} >&-"
        done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 2 and "standard output is closed" in done.stderr


@pytest.mark.parametrize(
    "error, told",
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "net/config.json"),
            "Permission denied (net/config.json); check this path and its permissions",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "run"),
            "No space left on device (run); choose another place or free some space",
        ),
        (
            OSError(errno.EROFS, "Read-only file system", "run"),
            "Read-only file system (run); choose another place or free some space",
        ),
    ],
)
def test_what_the_system_refuses_is_explained(
    error: OSError, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: object) -> None:
        raise error

    monkeypatch.setattr(entry, "loaded", refuse)
    assert complaint(capsys, "chat", "Hi") == f"unisono: {told}\n"


def complaint(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Runs a command that must fail with one line."""
    assert main(list(map(str, arguments))) == 2
    found = capsys.readouterr()
    assert found.err.startswith("unisono: ") and found.err.count("\n") == 1 and found.err.endswith("\n")
    return found.err


@pytest.mark.parametrize("kind", ["image", "audio", "video"])
@pytest.mark.parametrize("command", ["chat", "show"])
def test_bad_files(
    kind: str,
    command: str,
    tiny_network: Path,
    media: Media,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text.png").write_text("only text")
    (tmp_path / "header.wav").write_bytes(media("a.wav").read_bytes()[:44])
    (tmp_path / "cut.mp4").write_bytes(media("a.mp4").read_bytes()[:3000])
    soundfile.write(tmp_path / "long.wav", np.zeros(8000 * 61), 8000)
    for path in (
        tmp_path / "none.png",
        tmp_path,
        "~nobody-of-this-name/a.png",
        *sorted(tmp_path.glob("*.*")),
        tmp_path / "empty",
    ):
        complaint(capsys, command, "--model", tiny_network, f"--{kind}", path, "Hello")


def test_nothing_asked(
    tiny_network: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(" \n"))
    assert "nothing was asked" in complaint(capsys, "chat", "--model", tiny_network)
    assert "nothing to show" in complaint(capsys, "show", "--model", tiny_network)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["chat", "--out", "smell", "Hi"], "outputs are made of text, audio, image"),
        (["chat", "--seed", "-1", "Hi"], "a seed is"),
        (["chat", "It says 42. " * 500], "the conversation is too long"),
        (["chat", "--out", "image", "--save", "FILE", "Hi"], "cannot make the folder"),
        (["chat", "--out", "image", "--save", "FILE/below", "Hi"], "cannot make the folder"),
        (["show", "--svg", "FILE", "Hi"], "ends in .svg"),
        (["show", " "], "nothing to show"),
        (["show", "--svg", "FILE/below.svg", "Hi"], "could not write"),
        (["show", "--svg", "none/a.svg", "Hi"], "could not write"),
    ],
)
def test_bad_options(
    arguments: list[str], words: str, tiny_network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    arguments = [argument.replace("FILE", str(tmp_path / "file")) for argument in arguments]
    assert words in complaint(capsys, arguments[0], "--model", tiny_network, *arguments[1:])


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["serve", "--port", "99999"], "expected a whole number from 0 to 65535"),
        (["serve", "--max-mb", "nan"], "a number of MB above 0"),
        (["serve", "--max-mb", "inf"], "a number of MB above 0"),
        (["serve", "--max-mb", "-1"], "a number of MB above 0"),
        (["serve", "--sessions", "0"], "a whole number above 0"),
        (["serve", "--requests-per-minute", "-5"], "a whole number from 0 on"),
        (["chat", "--model", "", "Hi"], "expected a folder, got nothing"),
        (["data", "network", "--shared", "x", "--start", ""], "expected a folder, got nothing"),
    ],
)
def test_impossible_numbers_and_empty_names(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert words in capsys.readouterr().err


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"unisono {unisono.__version__}\n" and set(unisono.__all__) < set(
        dir(unisono)
    )


@pytest.mark.parametrize("command", ["chat", "show"])
def test_bad_models(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("not a folder")
    for folder in (tmp_path, tmp_path / "none", tmp_path / "file"):
        assert "no vocabulary at" in complaint(capsys, command, "--model", folder, "Hi")


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["data", "speech", "--shared", "EMPTY"], "expected the archive neural_speech.tar"),
        (["data", "network", "--shared", "EMPTY"], "run `unisono train audio-codec` first"),
        (["train", "audio-codec"], "no speech under"),
        (["train", "network"], "no prepared data in"),
        (["train", "network", "--set", "colour=red"], "no field 'colour'"),
        (["train", "network", "--set", "loop.num_steps=many"], "num_steps is int"),
        (["train", "network", "--set", "loop"], "FIELD=VALUE"),
        (["train", "image-codec", "--shared", "EMPTY"], "expected the archive storybook_images.tar"),
        (["train", "image-codec", "--set", "shares.cat=1"], "no pictures of the kind 'cat'"),
        (["train", "image-codec", "--set", "loop.validate_every=0"], "at least 1"),
    ],
)
def test_programs_without_their_data(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    arguments = [argument.replace("EMPTY", str(tmp_path / "empty")) for argument in arguments]
    assert words in complaint(capsys, *arguments, "--home", tmp_path / "home")
