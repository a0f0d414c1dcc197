"""`unisono show`: the ids that a conversation becomes."""

import argparse

from rich.console import Console

from unisono.core.errors import UserError
from unisono.core.home import atomic_write, default_weights
from unisono.media import read_clip, read_picture, read_sound
from unisono.model.hf import config_from_hf, read_config
from unisono.omni import code
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Message, Text
from unisono.tokens.show import COLOURS, coloured, counts, svg


def run(arguments: argparse.Namespace) -> int:
    """Entry of `unisono show`."""
    console = Console(soft_wrap=True, highlight=False)
    folder = arguments.model or default_weights()
    if arguments.svg and not arguments.svg.endswith(".svg"):
        raise UserError(f"--svg {arguments.svg}: expected a name that ends in .svg")
    tokenizer = OmniTokenizer.load(folder)
    readers = (("image", read_picture), ("audio", read_sound), ("video", read_clip))
    parts = [code(tokenizer, read(path)) for kind, read in readers for path in getattr(arguments, kind)]
    parts += [Text(text)] if (text := " ".join(arguments.text).strip()) else []
    if not parts:
        raise UserError("nothing to show; give words, or attach --image, --audio or --video")
    messages = [Message("user", parts)]
    messages += [Message("assistant", [Text(arguments.reply)])] if arguments.reply else []
    tokenizer.check_letters(messages, config_from_hf(read_config(folder)).max_position_embeddings)
    ids, mask = tokenizer.encode(messages, begin_reply=not arguments.reply)
    console.print(coloured(ids, mask, tokenizer.vocab, tokenizer.text))
    found = counts(ids, tokenizer.vocab)
    console.print(
        f"{len(ids)} ids: "
        + ", ".join(f"[{COLOURS[name]}]{number} {name}[/]" for name, number in found.items())
    )
    if arguments.svg:
        picture = svg(ids.tolist(), tokenizer.vocab, tokenizer.text)
        atomic_write(arguments.svg, lambda path: path.write_text(picture, encoding="utf8"))
    return 0
