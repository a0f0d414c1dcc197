"""Drawings with names, read from packages of icons and from Debian's clip art. Nothing of them lies here."""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from unisono.core.errors import UserError
from unisono.data.sources import Source
from unisono.data.words.sets import COUNTRIES

EMOJI = {
    "fluent-emoji-flat": Source("@iconify-json/fluent-emoji-flat", "npm", "1.2.6", "MIT"),
    "fluent-emoji": Source("@iconify-json/fluent-emoji", "npm", "1.2.7", "MIT"),
    "noto": Source("@iconify-json/noto", "npm", "1.2.9", "Apache-2.0"),
    "noto-v1": Source("@iconify-json/noto-v1", "npm", "1.2.5", "Apache-2.0"),
    "fxemoji": Source("@iconify-json/fxemoji", "npm", "1.2.2", "Apache-2.0"),
}
FLAGS = Source("@iconify-json/circle-flags", "npm", "1.2.11", "MIT")
CLIP_ART = Source("openclipart-svg", "debian", "0.18", "public domain")
CLDR = Source("cldr-annotations-full", "npm", "48.2.0", "Unicode-3.0")
UNSEEN = "fxemoji"  # a style that no network is taught
CLIPS = "openclipart"
FLAT = Source("@iconify-json/flat-color-icons", "npm", "1.2.3", "MIT")
SKIN = re.compile(r"-(light|medium|dark)(-(light|dark))?(-skin-tone)?$")
# What has no name that one would say: letters in squares, hours, digits.
UNSAID = re.compile(
    r"\d|button|keycap|input|symbol|clock-face|oclock|thirty|japanese|mark$|skin-tone|^flag-for|mans-|family-"
)
ASIDE = re.compile(r"\b(led|corner|pattern|icon|flourish|tux|logo|font|theme|button|arrows?|square|sign)\b")
Nouns = frozenset[str]
MAX_BYTES = 60_000  # of a piece of clip art; larger ones take seconds to render
PUBLIC_DOMAIN = "publicdomain"


def icon_set(source: Source, home: Path) -> dict[str, str]:
    """name -> SVG. UserError where the package is missing."""
    (_, content), *_ = source.members(home, lambda name: name == "package/icons.json")
    stored: dict[str, Any] = json.loads(content)
    found = {}
    for name, icon in stored["icons"].items():
        width, height = (icon.get(side, stored.get(side, 16)) for side in ("width", "height"))
        left, top = icon.get("left", 0), icon.get("top", 0)
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left} {top} {width} {height}"'
        found[name] = f'{head} xmlns:xlink="http://www.w3.org/1999/xlink">{icon["body"]}</svg>'
    return found


def emoji(style: str, home: Path) -> dict[str, str]:
    """Name in words -> SVG, of one style: without shades of skin, letters and hours."""
    icons = icon_set(EMOJI[style], home)
    named = {name: svg for name, svg in icons.items() if not SKIN.search(name) and not UNSAID.search(name)}
    return {name.replace("-", " "): svg for name, svg in named.items()}


def flags(home: Path) -> dict[str, str]:
    """flag of France -> SVG, of the countries that have a name at hand."""
    icons, found = icon_set(FLAGS, home), {}
    for _, content in COUNTRIES.members(
        home, lambda name: bool(re.fullmatch(r"countryinfo/data/\w+.json", name))
    ):
        country = json.loads(content)
        name, code = country["name"], country.get("ISO", {}).get("alpha2", "").lower()
        if code in icons and name.isascii():
            found[f"flag of {name}"] = icons[code]
    return found


def flat_icons(home: Path, nouns: Nouns) -> dict[str, str]:
    """Alarm clock -> SVG, of the icons that show a thing with a name."""
    icons = {name.replace("-", " "): svg for name, svg in icon_set(FLAT, home).items()}
    return {name: svg for name, svg in icons.items() if name in nouns and not ASIDE.search(name)}


@lru_cache(maxsize=2)
def annotations(home: Path) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Character -> its English name and keywords, of CLDR."""
    (_, content), *_ = CLDR.members(home, "package/annotations/en/annotations.json".__eq__)
    told = json.loads(content)["annotations"]["annotations"]
    return {
        letters: (entry["tts"][0], tuple(entry.get("default", ())))
        for letters, entry in told.items()
        if entry.get("tts")
    }


def keywords(home: Path) -> dict[str, tuple[str, ...]]:
    """Name in words -> what goes with it, and does not stand in it."""
    told = [(plain(name), words) for name, words in annotations(home).values()]
    return {
        name: tuple(word for word in words if re.fullmatch(r"[a-z]{3,}", word) and word not in name)
        for name, words in told
    }


def plain(name: str) -> str:
    """A name in small letters without marks, as icon sets have it."""
    return " ".join(re.sub(r"[^a-z0-9 ]", " ", name.lower()).split())


def clip_art(home: Path, nouns: Nouns) -> dict[str, str]:
    """Title -> SVG of Debian's clip art: what is in the public domain and has an English title."""
    found: dict[str, str] = {}
    for title, svg in _clips(home):
        words = title.split()
        is_english = bool(words) and words[-1] in nouns and all(word in nouns for word in words)
        if is_english and len(words) <= 3 and len(words[-1]) > 2 and not ASIDE.search(title):
            found.setdefault(title, svg)
    return found


def _clips(home: Path) -> Iterator[tuple[str, str]]:
    # Flags and maps have the names of countries, which is not what one says of them.
    wanted = re.compile(r"(?!.*(?:flag|map|signs_and_symbols|geography|logos)).*\.svg$")
    for _, content in CLIP_ART.members(home, lambda name: bool(wanted.match(name))):
        if len(content) > MAX_BYTES:
            continue
        text = content.decode("utf8", "replace")
        title = re.search(r"<dc:title>([^<]+)</dc:title>", text)
        if title and PUBLIC_DOMAIN in text.lower():
            yield plain(re.sub(r"\d+", "", title[1])), text


def rendered(svg: str, pixels: int) -> bytes:
    """PNG of a drawing, `pixels` wide. UserError where the library is missing; ValueError for what it cannot
    draw."""
    try:
        import resvg_py
    except ImportError:
        raise UserError("drawing icons needs the package resvg-py; pip install 'unisono[data]'") from None
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, width=pixels, skip_system_fonts=True))
