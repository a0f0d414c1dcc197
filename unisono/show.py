"""`unisono show`: the ids that a conversation becomes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from unisono.core.errors import UserError
from unisono.core.home import atomic_write, default_weights
from unisono.media import read_clip, read_picture, read_sound
from unisono.model.hf import config_from_hf, read_config
from unisono.omni import Input, code
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Message, Text
from unisono.tokens.show import COLOURS, coloured, counts, svg


@dataclass(frozen=True, kw_only=True)
class ShowOptions:
    """The options of `unisono show`; cli/show.py says what they mean."""

    text: list[str] = field(default_factory=list)
    image: list[str] = field(default_factory=list)
    audio: list[str] = field(default_factory=list)
    video: list[str] = field(default_factory=list)
    model: str | None = None
    reply: str = ""
    svg: str | None = None


def run(options: ShowOptions) -> int:
    """Entry of `unisono show`."""
    console = Console(soft_wrap=True, highlight=False)
    folder = Path(options.model or default_weights())
    if options.svg and not options.svg.endswith(".svg"):
        raise UserError(f"--svg {options.svg}: expected a name that ends in .svg")
    tokenizer = OmniTokenizer.load(folder)
    readers: list[tuple[list[str], Callable[[str | Path], Input]]] = [
        (options.image, read_picture),
        (options.audio, read_sound),
        (options.video, read_clip),
    ]
    parts = [code(tokenizer, read(path)) for paths, read in readers for path in paths]
    parts += [Text(text)] if (text := " ".join(options.text).strip()) else []
    if not parts:
        raise UserError("nothing to show; give words, or attach --image, --audio or --video")
    messages = [Message("user", parts)]
    messages += [Message("assistant", [Text(options.reply)])] if options.reply else []
    tokenizer.check_letters(messages, config_from_hf(read_config(folder)).max_position_embeddings)
    ids, mask = tokenizer.encode(messages, begin_reply=not options.reply)
    console.print(coloured(ids.tolist(), mask.tolist(), tokenizer.vocab, tokenizer.text))
    found = counts(ids.tolist(), tokenizer.vocab)
    console.print(
        f"{len(ids)} ids: "
        + ", ".join(f"[{COLOURS[name]}]{number} {name}[/]" for name, number in found.items())
    )
    if options.svg:
        picture = svg(ids.tolist(), tokenizer.vocab, tokenizer.text)
        atomic_write(options.svg, lambda path: path.write_text(picture, encoding="utf8"))
    return 0
