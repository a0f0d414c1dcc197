"""What has to be known of a base before data is made for it or weights are taken from it: shape, tokenizer,
turns, memory.

Everything that can be wrong with it is said here, before anything is written.
"""

import json
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from unisono.base.source import base_folder
from unisono.core.errors import UserError
from unisono.core.home import atomic_write
from unisono.model.config import Qwen3Config
from unisono.model.cost import parameters
from unisono.model.hf import check_tensors, config_from_hf, read_config
from unisono.tokens.text import TextTokenizer
from unisono.tokens.turns import FILE, Render, Turns, jinja, reply_end, taken_apart
from unisono.tokens.vocab import Vocabulary

TEMPLATE, SETTINGS = "chat_template.jinja", "tokenizer_config.json"
SPARE_ROWS = 1024  # rows behind the last piece: bases round their tables up, Qwen by some 400
NAMED = ("bos_token", "eos_token", "pad_token", "unk_token")


@dataclass(frozen=True)
class Base:
    """A base whose parts fit together."""

    folder: Path
    config: Qwen3Config
    text: TextTokenizer
    template: str  # jinja; empty for one that was never taught to chat
    render: Render | None
    named: dict[str, str]  # bos_token and others that a template may name -> what they are

    @classmethod
    def load(cls, source: str, home: Path) -> "Base":
        """Finds and checks it; UserError says in one sentence what is wrong."""
        folder = base_folder(source, home)
        config = config_from_hf(read_config(folder))
        if not (folder / "tokenizer.json").exists():
            raise UserError(
                f"{folder} has no tokenizer.json; save it there with transformers' AutoTokenizer, or "
                f"take another copy of the base"
            )
        text = TextTokenizer.load(folder / "tokenizer.json")
        if not 0 <= config.vocab_size - text.size <= SPARE_ROWS:
            raise UserError(
                f"the tokenizer in {folder} has {text.size} ids, the weights have {config.vocab_size} "
                f"rows: they are not "
                "of the same base; put the base's own tokenizer.json there"
            )
        check_memory(folder, config)
        check_tensors(folder, config)
        settings = _settings(folder)
        template = _template(folder, settings)
        named = {name: _content(settings[name]) for name in NAMED if settings.get(name)}
        render = jinja(template, named.items()) if template else None
        return cls(folder, config, text, template, render, named)

    def vocabulary(self, audio_size: int, image_size: int) -> Vocabulary:
        """The base's ids, and ours behind them."""
        specials = tuple(sorted(self.text.specials.items(), key=lambda item: item[1]))
        end = self.text.specials[reply_end(self.render, self.text.specials)] if self.render else None
        return Vocabulary(self.text.size, audio_size, image_size, specials, end)

    def turns(self, vocab: Vocabulary) -> Turns:
        """What its template writes between messages; our own marks where it has no template."""
        return taken_apart(self.render, self.text.specials, vocab) if self.render else Turns.own(vocab)

    @property
    def name(self) -> str:
        """Tells data made for one base from data made for another: of its tokenizer and its template."""
        return sha256((self.text.inner.to_str() + self.template).encode()).hexdigest()[:16]

    def save(self, folder: Path, vocab: Vocabulary) -> None:
        """Writes what a network that began here keeps of it, beside tokenizer.json: its template, and what
        that comes to.
        """
        folder.mkdir(parents=True, exist_ok=True)
        if self.render:
            atomic_write(folder / FILE, self.turns(vocab).save)
            atomic_write(folder / TEMPLATE, lambda part: part.write_text(self.template, encoding="utf8"))
            told = json.dumps(self.named, ensure_ascii=False) + "\n"
            atomic_write(folder / SETTINGS, lambda part: part.write_text(told, encoding="utf8"))


def _settings(folder: Path) -> dict[str, Any]:
    """tokenizer_config.json; nothing where there is none."""
    path = folder / SETTINGS
    try:
        stored = json.loads(path.read_text(encoding="utf8")) if path.exists() else {}
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error}); fetch the base again") from None
    return stored if isinstance(stored, dict) else {}


def _template(folder: Path, settings: dict[str, Any]) -> str:
    """The jinja source, from its own file or from tokenizer_config.json; of several the usual one."""
    if (folder / TEMPLATE).exists():
        return (folder / TEMPLATE).read_text(encoding="utf8")
    found = settings.get("chat_template") or ""
    if isinstance(found, list):
        found = next((one.get("template", "") for one in found if one.get("name") == "default"), "")
    return found if isinstance(found, str) else ""


def _content(token: Any) -> str:
    """A special token as text; some are stored with how they are looked for."""
    return token.get("content", "") if isinstance(token, dict) else str(token)


def check_memory(folder: Path, config: Qwen3Config) -> None:
    """UserError for a base whose weights do not fit into what is free here, in float32."""
    wanted, free = 4 * parameters(config), free_bytes()
    if wanted > free:
        raise UserError(
            f"the base in {folder} has {parameters(config) / 1e9:.1f} billion weights, "
            f"{wanted / 1e9:.1f} GB in float32, and "
            f"{free / 1e9:.1f} GB of memory are free; choose a smaller base or a larger machine"
        )


def free_bytes() -> int:
    """Memory that a program can still have; all there is where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 1 << 62
