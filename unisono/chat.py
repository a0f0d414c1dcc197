"""`unisono chat`: a conversation in the terminal, or one question for scripts."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image as Pictures
from rich.console import Console
from rich.text import Text as Coloured

from unisono.core.errors import UserError
from unisono.core.home import atomic_write
from unisono.media import MAX_SECONDS, kind_of, read_clip, read_picture, read_sound, write_sound
from unisono.omni import Conversation, Input, Omni, PictureDelta, SoundDelta, outputs_of
from unisono.tokens.show import UNSEEN

HELP = """Type and press enter. A path in the line is attached: what is this? ~/cat.png
  /image PATH  /audio PATH  /video PATH   attach a file whatever its name
  /mic [SECONDS]      speak into the microphone (5 s)
  /out text,audio     what replies are made of: text, audio, image
  /voice NAME         the voice of spoken replies        /new   forget the conversation
  /help               this                               /quit  leave (or ctrl-d)"""
READERS: dict[str, Callable[[str | Path], Input]] = {
    "image": read_picture,
    "audio": read_sound,
    "video": read_clip,
}
MAX_LETTERS = 10_000_000  # read of a question from a pipe, which may never end; so long a one fits nowhere
PLAYERS = (["aplay", "-q"], ["afplay"], ["ffplay", "-nodisp", "-autoexit", "-loglevel", "quiet"])


def parse_outputs(text: str) -> tuple[str, ...]:
    """ "text,audio" -> ("text", "audio"); UserError for any other name."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    outputs_of(names)
    return names


@dataclass(frozen=True, kw_only=True)
class ChatOptions:
    """The options of `unisono chat`; cli/chat.py says what they mean."""

    question: list[str] = field(default_factory=list)
    image: list[str] = field(default_factory=list)
    audio: list[str] = field(default_factory=list)
    video: list[str] = field(default_factory=list)
    model: str | None = None
    out: str = "text"
    voice: str = ""  # empty = the usual one
    save: str | None = None
    engine: str = "auto"
    seed: int | None = None
    quiet: bool = False
    timing: bool = False


class Talker:
    """Sends parts to a conversation and shows what comes back."""

    def __init__(self, omni: Omni, options: ChatOptions, console: Console) -> None:
        self.omni, self.options, self.console = omni, options, console
        self.outputs, self.voice = parse_outputs(options.out), options.voice
        self.folder = Path(options.save) if options.save else None
        self.number = 0
        self.conversation: Conversation | None = None

    def restart(self) -> Conversation:
        """Begins a new conversation -> it. Where none can begin, the old one goes on."""
        fresh = self.omni.conversation(outputs=self.outputs, voice=self.voice, seed=self.options.seed)
        if self.conversation:
            self.conversation.close()
        self.conversation = fresh
        return fresh

    def change(self, outputs: tuple[str, ...], voice: str) -> None:
        """Begins anew with other outputs or another voice; UserError and no change for an unknown voice."""
        before = self.outputs, self.voice
        self.outputs, self.voice = outputs, voice
        try:
            self.restart()
        except UserError:
            self.outputs, self.voice = before
            raise

    def say(self, parts: list[Input]) -> None:
        """One turn: text appears as it is made; sound and pictures are saved, played and shown."""
        conversation = self.conversation or self.restart()
        began, first, sounds, drawings = time.monotonic(), 0.0, [], []
        self.number += 1
        for event in conversation.stream(*parts):
            first = first or time.monotonic() - began
            if isinstance(event, SoundDelta):
                sounds.append(event.pcm)
            elif isinstance(event, PictureDelta):
                drawings += [event.picture] if event.last else []
            else:
                self.console.out(event.text.translate(UNSEEN), end="", highlight=False)
                self.console.file.flush()
        self.console.out("")
        for picture in drawings:
            self._drawing(picture)
        if sounds:
            self._spoken(np.concatenate(sounds))
        if self.options.timing:
            self.console.print(
                f"[dim]first word after {first:.2f} s, all after {time.monotonic() - began:.2f} s[/dim]"
            )

    def _place(self, ending: str) -> Path:
        self.folder = _made(self.folder or Path(tempfile.mkdtemp(prefix="unisono-")))
        while os.path.exists(
            path := self.folder / f"reply{self.number}.{ending}"
        ):  # of an earlier run, or another picture of this turn
            self.number += 1
        return path

    def _spoken(self, pcm: np.ndarray) -> None:
        path = self._place("wav")
        write_sound(path, pcm, self.omni.sample_rate)
        self._note(f"spoken, {len(pcm) / self.omni.sample_rate:.1f} s: {path}")
        player = next((player for player in PLAYERS if shutil.which(player[0])), None)
        if player and self.console.is_terminal and not self.options.quiet:
            subprocess.run(
                [*player, str(path)], check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )

    def _drawing(self, picture: Pictures.Image) -> None:
        path = self._place("png")
        large = picture.resize((256, 256), Pictures.Resampling.NEAREST)
        atomic_write(path, lambda part: large.save(part, "PNG"))
        if self.console.is_terminal:
            self.console.print(blocks(picture))
        self._note(f"drawn: {path}")

    def _note(self, text: str) -> None:
        """Says where something lies; square brackets in a path are no markup."""
        self.console.print(text.translate(UNSEEN), style="dim", markup=False, highlight=False, soft_wrap=True)


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot make the folder {folder}: {error.strerror}; choose another with --save"
        ) from None
    return folder


def blocks(picture: Pictures.Image, width: int = 32) -> Coloured:
    """A picture as coloured half blocks, two pixels a character."""
    pixels = np.asarray(picture.convert("RGB").resize((width, width), Pictures.Resampling.BOX))
    lines = Coloured()
    for top, bottom in zip(pixels[::2], pixels[1::2]):
        for upper, lower in zip(top, bottom):
            lines.append("▀", style=f"rgb({','.join(map(str, upper))}) on rgb({','.join(map(str, lower))})")
        lines.append("\n")
    return lines


def record(seconds: float) -> Input:
    """Sound from the microphone, through arecord or ffmpeg."""
    if seconds > MAX_SECONDS:
        raise UserError(
            f"the microphone is listened to for at most {MAX_SECONDS:.0f} s at a time, got "
            f"{seconds:.0f}; say it in pieces"
        )
    with tempfile.TemporaryDirectory(prefix="unisono-") as folder:  # nobody's voice is left behind
        return _recorded(seconds, Path(folder) / "microphone.wav")


def _recorded(seconds: float, path: Path) -> Input:
    if shutil.which("arecord"):
        command = [
            "arecord",
            "-q",
            "-f",
            "S16_LE",
            "-r",
            "16000",
            "-c",
            "1",
            "-d",
            str(max(1, round(seconds))),
            str(path),
        ]  # 0 would never end
    elif sys.platform == "darwin" and shutil.which("ffmpeg"):
        command = [
            "ffmpeg",
            "-loglevel",
            "error",
            "-f",
            "avfoundation",
            "-i",
            ":0",
            "-t",
            str(seconds),
            "-ar",
            "16000",
            str(path),
        ]
    else:
        raise UserError(
            "no recorder found; install alsa-utils (arecord), or record a file and attach it with /audio PATH"
        )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not path.exists():
        raise UserError(
            f"the microphone gave nothing ({done.stderr.strip() or 'no reason given'}); "
            "check that one is connected, or attach a file with /audio PATH"
        )
    return read_sound(path)


def parse_line(line: str) -> list[Input]:
    """A typed line -> its words, and the files whose paths stand in it."""
    parts: list[Input] = []
    words: list[str] = []
    try:
        tokens = shlex.split(line, posix=True)
    except ValueError:  # an apostrophe is no quotation
        tokens = re.findall(r'"[^"]+"[^\w\s"]*|\S+', line)
    for token in tokens:
        path, mark = _attachment(token)
        if path:
            parts.append(READERS[kind_of(path)](path))
            words[-1:] = [word + mark for word in words[-1:]]
        else:
            words.append(token)
    return parts + ([line.strip()] if not parts and line.strip() else [" ".join(words)] if words else [])


def _attachment(token: str) -> tuple[str, str]:
    """A word -> (path, mark): the file that it names, and a question or exclamation mark behind the name."""
    bare = token.lstrip("(\"'").rstrip("?!.,;:)\"'")
    for name, mark in ((token, ""), (bare, token[-1:] if token.endswith(("?", "!")) else "")):
        path = os.path.expanduser(name)
        if re.search(r"\.\w{2,4}$", name) and os.path.isfile(path):
            return path, mark
    return "", ""


def _path_first(line: str) -> tuple[str, str]:
    """A line -> (path, words behind it). A path with spaces stands in quotation marks or has backslashes."""
    found = re.match(r"""'([^']+)'|"([^"]+)"|((?:\\.|\S)*)""", line)
    assert found  # the last way matches nothing too
    quoted = found[1] or found[2]
    return quoted or re.sub(r"\\(.)", r"\1", found[3] or ""), line[found.end() :].strip()


def _command(talker: Talker, line: str) -> bool:
    """Carries out a /command -> False to leave."""
    name, _, rest = line[1:].partition(" ")
    rest = rest.strip()
    if name in ("quit", "exit", "q"):
        return False
    if name in READERS:
        path, question = _path_first(rest)
        talker.say([READERS[name](path), *([question] if question else [])])
    elif name == "mic":
        if rest and not re.fullmatch(r"\d+(\.\d+)?", rest):
            raise UserError(f"/mic takes a number of seconds, got {rest!r}")
        talker.say([record(float(rest or 5))])
    elif name == "out":
        talker.change(parse_outputs(rest), talker.voice)
    elif name == "voice":
        talker.change(talker.outputs, rest or talker.voice)
    elif name == "new":
        talker.restart()
    else:
        if name != "help":
            talker.console.print(f"there is no /{name}", style="yellow", markup=False, highlight=False)
        talker.console.print(HELP, highlight=False)
    return True


def _attached(options: ChatOptions) -> list[Input]:
    files = {"image": options.image, "audio": options.audio, "video": options.video}
    return [READERS[kind](path) for kind, paths in files.items() for path in paths]


def run(options: ChatOptions) -> int:
    """Entry of `unisono chat`."""
    console = Console(soft_wrap=True)
    parse_outputs(options.out)
    if options.save:
        _made(Path(options.save))
    parts = _attached(options)
    has_terminal = sys.stdin is not None and sys.stdin.isatty()  # None: closed, as in `<&-`
    question = " ".join(options.question).strip() or (
        "" if has_terminal or sys.stdin is None else sys.stdin.read(MAX_LETTERS).strip()
    )
    interactive = has_terminal and not parts and not question
    if not (parts or question or interactive):
        raise UserError("nothing was asked; give a question, or attach --image, --audio or --video")
    began = time.monotonic()
    talker = Talker(Omni(options.model, engine=options.engine), options, console)
    if options.timing:
        console.print(f"[dim]loaded in {time.monotonic() - began:.2f} s[/dim]")
    if not interactive:
        talker.say([*parts, *([question] if question else [])])
        return 0
    console.print(
        "This is Unisono, a small network trained from scratch. /help shows what it takes, ctrl-d leaves.",
        highlight=False,
    )
    _loop(talker, _lines(console))
    return 0


def _lines(console: Console) -> Iterable[str]:
    while True:
        try:
            yield console.input("[bold]> [/bold]")
        except (EOFError, KeyboardInterrupt):
            console.out("")
            return


def _loop(talker: Talker, lines: Iterable[str]) -> None:
    """Turn after turn; a fault in one leaves the conversation as it was."""
    for line in lines:
        try:
            if line.startswith("/") and not os.path.exists(line.split()[0]):
                if not _command(talker, line):
                    return
            elif line.strip():
                talker.say(parse_line(line))
        except UserError as error:
            talker.console.print(str(error).translate(UNSEEN), style="yellow", markup=False, highlight=False)
        except KeyboardInterrupt:
            talker.console.out(" (interrupted)")
