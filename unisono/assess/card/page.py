"""`unisono card`: a folder with card.html, one page that needs nothing beside it, and card.json."""

import base64
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import soundfile
import soxr
from markupsafe import Markup
from PIL import Image, UnidentifiedImageError

from unisono.assess.card.collect import collect
from unisono.assess.card.compare import compare
from unisono.core.errors import UserError
from unisono.core.home import atomic_write

PAGE = Path(__file__).parent / "page"
MAX_SOUND_BYTES = 400_000  # of all sounds of a page, coded
MAX_PICTURE_BYTES = 400_000  # of all pictures
PICTURE_SIDE = 160
SOUND_RATE = 16000
MAX_SOUND_S = 12.0
TITLES = {
    "voice": "Voice",
    "content": "Content",
    "preparedness": "Preparedness",
    "third-party": "Third-party assessments",
    "societal": "Societal impact",
    "capability": "Capability",
}


@dataclass(frozen=True, kw_only=True)
class CardOptions:
    """cli/card.py says what they mean to a user."""

    folders: list[Path]
    out: Path
    compare: bool = False
    samples: int = 6


def run(options: CardOptions) -> int:
    """Writes the page and the JSON -> 0."""
    options.out.mkdir(parents=True, exist_ok=True)
    if options.compare:
        if len(options.folders) != 2:
            raise UserError(f"--compare takes two folders of logs, got {len(options.folders)}")
        found = compare(*options.folders)
        _write(options.out / "compare.html", rendered("compare.html", found=found))
        _write(options.out / "compare.json", json.dumps(found, indent=1) + "\n")
        print(options.out / "compare.html")
        return 0
    card = collect(options.folders, options.samples)
    _write(options.out / "card.json", json.dumps(without_sounds(card), indent=1) + "\n")
    _write(options.out / "card.html", card_page(card))
    print(options.out / "card.html")
    return 0


def card_page(card: dict[str, Any]) -> str:
    """The page of a card. Its sounds and pictures are coded anew; those beyond the page's share are left
    out.
    """
    sounds, pictures = Share(MAX_SOUND_BYTES), Share(MAX_PICTURE_BYTES)
    figures = []
    for section in card["sections"]:
        for task in section["tasks"]:
            for figure in task.get("figures", []):
                figure["label"] = figure["title"]
                figures.append(figure)
            for group in task.get("groups", []):
                for line in group["lines"]:
                    line["label"] = line["value_name"]
            for turn in (turn for sample in task.get("samples", []) for turn in sample["turns"]):
                turn["sound"] = sounds.uri("audio/mpeg", _coded(turn["sound"])) if turn["sound"] else None
                coded = [pictures.uri("image/webp", _small(picture)) for picture in turn["pictures"]]
                turn["pictures"] = [uri for uri in coded if uri]
    has_reference = any(figure["reference"] is not None for figure in figures)
    is_part = any(task.get("limit") for section in card["sections"] for task in section["tasks"])
    return rendered(
        "card.html",
        card=card,
        names=TITLES,
        title=f"System card: {card['model']}",
        has_reference=has_reference,
        is_part=is_part,
    )


class Share:
    """How much of one kind a page may hold."""

    def __init__(self, max_bytes: int) -> None:
        self.left = max_bytes

    def uri(self, kind: str, content: bytes) -> str | None:
        """The content as a data URI; None where there is none or the share is used up."""
        if not content or len(content) > self.left:
            return None
        self.left -= len(content)
        return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def rendered(template: str, **values: Any) -> str:
    """A template of page/ with these values."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGE),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    css = Markup((PAGE / "card.css").read_text(encoding="utf8"))
    return environment.get_template(template).render(css=css, number=number, plot=plot, **values)


def number(value: float | None, digits: int = 3) -> str:
    """ "0.123", or a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def plot(row: dict[str, Any]) -> Markup:
    """A point with its interval between 0 and 1, or -1 and 1 where there are values below 0."""
    numbers = [row[name] for name in ("value", "low", "high") if row[name] is not None]
    least = -1.0 if min(numbers) < 0 else 0.0
    most = max(1.0, *numbers)

    def at(value: float) -> str:
        return f"{100 * (value - least) / (most - least):.1f}%"

    marks = ['<line class="axis" x1="0" x2="100%" y1="50%" y2="50%"/>']
    for tick in (least, 0.0, 1.0):
        marks.append(f'<line class="axis" x1="{at(tick)}" x2="{at(tick)}" y1="20%" y2="80%"/>')
    if row["low"] is not None:
        marks.append(
            f'<line class="interval" x1="{at(row["low"])}" x2="{at(row["high"])}" y1="50%" y2="50%"/>'
        )
    marks.append(f'<circle class="point" cx="{at(row["value"])}" cy="50%" r="4"/>')
    if row.get("reference") is not None:
        marks.append(f'<circle class="reference" cx="{at(row["reference"])}" cy="50%" r="5.5"/>')
    words = f"{number(row['value'])}" + (
        f", {number(row['low'])} to {number(row['high'])}" if row["low"] is not None else ""
    )
    return Markup(f'<svg role="img" aria-label="{words}">{"".join(marks)}</svg>')


def without_sounds(card: Any) -> Any:
    """The card for JSON: sounds and pictures stay in the logs."""
    if isinstance(card, dict):
        kept = {key: value for key, value in card.items() if key not in ("sound", "pictures")}
        return {key: without_sounds(value) for key, value in kept.items()}
    return [without_sounds(value) for value in card] if isinstance(card, list) else card


def _coded(sound: bytes) -> bytes:
    """A WAV file -> an MP3 of its first seconds at 16 kHz; nothing where it is no sound."""
    try:
        pcm, rate = soundfile.read(io.BytesIO(sound), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError):
        return b""
    mono = soxr.resample(pcm.mean(axis=1), rate, SOUND_RATE)[: int(MAX_SOUND_S * SOUND_RATE)]
    held = io.BytesIO()
    soundfile.write(held, np.clip(mono, -1, 1), SOUND_RATE, format="MP3", compression_level=0.9)
    return held.getvalue()


def _small(picture: bytes) -> bytes:
    """A picture -> a small WebP; nothing where it is none."""
    try:
        image = Image.open(io.BytesIO(picture)).convert("RGB")
    except (UnidentifiedImageError, OSError):
        return b""
    image.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    held = io.BytesIO()
    image.save(held, "WEBP", quality=80)
    return held.getvalue()


def _write(path: Path, text: str) -> None:
    atomic_write(path, lambda made: made.write_text(text, encoding="utf8"))
