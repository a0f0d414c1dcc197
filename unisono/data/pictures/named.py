"""Pictures that have a name: what is shown, what it is good for, which words go with it.

One drawing in twenty is kept for the test, and a whole style that is never taught.
"""

import io
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from PIL import Image

from unisono.data.pictures.icons import (
    CLIPS,
    EMOJI,
    UNSEEN,
    clip_art,
    emoji,
    flags,
    flat_icons,
    keywords,
    rendered,
)
from unisono.data.pictures.uses import nouns, uses
from unisono.data.texts import read_lines
from unisono.data.world.pictures import PIXELS
from unisono.data.world.raw import Exchange, Picture, Raw, Sentence

FLAGS, FLAT = "flags", "flat-color-icons"
DRAWN_STYLE = "fluent-emoji-flat"
NUM_DRAWN = 300
MAX_SEEN = 192  # pixels of a rendered drawing, from which smaller ones are made
GROUNDS = ((255, 255, 255),) * 5 + ((244, 244, 238), (238, 243, 248), (250, 240, 230), (232, 245, 233))
# Words in -s that are one thing.
ONE_IN_S = re.compile(r"(ss|us|is|bus|canvas|gas|lens|compass|atlas)$")
HEAD = re.compile(r" (?:with|of|in|on|and|without|holding|behind) ")  # what the thing is stands before
WHAT = (
    "What is this?|What do you see?|What is in the picture?|What does the picture show?|"
    "What can you see here?|Name this.|Can you tell me what this is?|What have I got here?|What is shown?|"
    "Which thing is this?"
).split("|")
IT_IS = ("It is {}.", "This is {}.", "I see {}.", "That is {}.")
USE = (
    "What can you do with it?|What is it used for?|What is it for?|What would I need it for?|What use has it?"
).split("|")
WORDS = ("Which words go with it?", "Describe it in a few words.", "What does it have to do with?")
DRAW = "Draw {}.|Please draw {}.|Make a picture of {}.|Show me {}.|Paint {}.|Can you draw {}?".split("|")


@dataclass
class Gallery:
    """All drawings: style -> name -> SVG; what is known of the names."""

    drawings: dict[str, dict[str, str]]
    uses: dict[str, str]
    words: dict[str, tuple[str, ...]]
    common: list[str]
    cache: dict[tuple[str, str], Image.Image | None] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        """Everything that can be seen in a taught style."""
        return {name for style, svgs in self.drawings.items() if style != UNSEEN for name in svgs}

    def image(self, style: str, name: str) -> Image.Image | None:
        """The drawing with what is around it left transparent; None where it cannot be drawn."""
        if (style, name) not in self.cache:
            try:
                png = rendered(self.drawings[style][name], MAX_SEEN)
                self.cache[style, name] = Image.open(io.BytesIO(png)).convert("RGBA")
            except ValueError:
                self.cache[style, name] = None
        return self.cache[style, name]

    def choose(self, style: str | None, rng: random.Random) -> tuple[str, str, Image.Image]:
        """(style, name, drawing). Names are as likely as each other, clip art and flags a little less."""
        styles = [style] if style else [one for one in self.drawings if one != UNSEEN]
        weights = [len(self.drawings[one]) ** 0.7 for one in styles]
        while True:
            chosen = rng.choices(styles, weights)[0]
            name = rng.choice(_names(self, chosen))
            if (image := self.image(chosen, name)) is not None:
                return chosen, name, image


def _names(gallery: Gallery, style: str) -> list[str]:
    return list(gallery.drawings[style])


@lru_cache(maxsize=1)
def gallery(home: Path, shared: Path) -> Gallery:
    """Reads all packages. UserError names the first that is missing, with the command that fetches it."""
    counts, english = _counts(shared), nouns(home)
    drawings = {style: emoji(style, home) for style in EMOJI}
    known = {name.replace(" ", ""): name for style in EMOJI if style != UNSEEN for name in drawings[style]}
    # That style writes its names in one word.
    unseen = {known[name]: svg for name, svg in drawings[UNSEEN].items() if name in known}
    drawings |= {UNSEEN: unseen, FLAGS: flags(home), FLAT: flat_icons(home, english)}
    drawings[CLIPS] = clip_art(home, english)
    common = sorted(drawings[DRAWN_STYLE], key=lambda name: (-_common(name, counts), name))
    return Gallery(drawings, uses(home), keywords(home), common[:NUM_DRAWN])


def _counts(shared: Path) -> Counter[str]:
    """How often each word stands in English sentences."""
    path = shared / "text" / "common_voice_sentences.jsonl.zst"
    sentences = (record["text"] for record in read_lines(path) if record["language"] == "en")
    return Counter(word for text in sentences for word in re.findall(r"[a-z]+", text.lower()))


def _common(name: str, counts: Counter[str]) -> int:
    """Of its rarest word; names of many words and of persons are not what people ask to be drawn."""
    words = name.split()
    return 0 if len(words) > 2 or "person" in words else min(counts[word] for word in words)


def phrase(name: str) -> str:
    """The name as it stands in a sentence: a hammer, an apple, glasses, the flag of France."""
    first, last = name.split()[0], HEAD.split(name)[0].split()[-1]
    if name.startswith("flag of"):
        return f"the {name}"
    if last.endswith("s") and not ONE_IN_S.search(last):
        return name
    return f"{'an' if first[0] in 'aeiou' else 'a'} {name}"


def placed(image: Image.Image, rng: random.Random | None) -> Image.Image:
    """The drawing on a ground, in the middle or, with `rng`, anywhere and of any size that fits."""
    side = PIXELS.get()
    share = rng.uniform(0.55, 0.95) if rng else 0.8
    scale = share * side / max(image.size)
    small = image.resize([max(1, round(length * scale)) for length in image.size], Image.Resampling.LANCZOS)
    page = Image.new("RGB", (side, side), rng.choice(GROUNDS) if rng else (255, 255, 255))
    room = [side - length for length in small.size]
    at = [round(rng.uniform(0.2, 0.8) * length) if rng else length // 2 for length in room]
    page.paste(small, (at[0], at[1]), small)
    return page


def seen(found: Gallery, style: str | None = None) -> Callable[[random.Random], Raw]:
    """A maker of questions about a drawing. `style`: of this one alone."""

    def make(rng: random.Random) -> Raw:
        chosen, name, image = found.choose(style, rng)
        shown = Picture(placed(image, rng))
        exchanges = [
            Exchange(Sentence(rng.choice(WHAT)), Sentence(rng.choice(IT_IS).format(phrase(name))), [shown])
        ]
        if (use := found.uses.get(name)) and rng.random() < 0.6:
            exchanges.append(Exchange(Sentence(rng.choice(USE)), Sentence(f"It is {use}.")))
        if (words := found.words.get(name)) and rng.random() < 0.3:
            told = ", ".join(words[:4])
            exchanges.append(Exchange(Sentence(rng.choice(WORDS)), Sentence(f"{told[0].upper()}{told[1:]}.")))
        return Raw("see_named", f"{chosen} {name}", exchanges, {"name": name, "style": chosen})

    return make


def drawn(found: Gallery) -> Callable[[random.Random], Raw]:
    """A maker of requests for the commonest things, always drawn in one style and place."""

    def make(rng: random.Random) -> Raw:
        name = rng.choice(found.common)
        image = found.image(DRAWN_STYLE, name)
        assert image is not None
        what, wish = phrase(name), rng.choice(DRAW)
        answer = f"Here {'are' if what == name else 'is'} {what}."
        made = Exchange(Sentence(wish.format(what)), Sentence(answer), drawn=Picture(placed(image, None)))
        return Raw("draw_named", wish.format(what), [made], {"name": name})

    return make
