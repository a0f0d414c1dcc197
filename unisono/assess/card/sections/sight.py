"""Sight: questions about pictures and clips, and drawings that a programme checks."""

import io
import random
from collections.abc import Callable, Iterator

import numpy as np
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageUser, Content, ContentText
from PIL import Image, UnidentifiedImageError

from unisono.assess.card.drawing import draw
from unisono.assess.card.pictures import clip_part, picture_part
from unisono.assess.card.read import unreadable
from unisono.assess.card.tasks import Context, Measure, Parts, Reply, Verdict, ask, card_task
from unisono.assess.quality.judge import comparable, number_words
from unisono.assess.quality.scenes import score_scene
from unisono.data.splits import split_of
from unisono.data.world.conversations import draw_request, motion, printed
from unisono.data.world.pictures import COLOURS, SHAPES, SIZE
from unisono.data.world.raw import Clip, Picture, Raw
from unisono.data.world.scenes import PLURALS, scene
from unisono.signals import fit

NUM_SAMPLES = 200
NUM_CLIPS = 100  # each takes some twenty draws of five pictures
MAX_DRAWS = 20_000
OWN = "written for this project: its small world, the test twentieth"
FLAT = (
    "Flat shapes, emoji and print of 64 pixels; nothing is photographed. Our own network was trained on the "
)
FLAT += "other nineteen twentieths of this world."
NUMBERS = [number_words(str(number)) for number in range(10)]
WAYS = {"left": "left", "right": "right", "up": "up", "down": "down", "still": "not move|still|at rest"}


def held_back(make: Callable[[random.Random], Raw], name: str) -> Iterator[Raw]:
    """Conversations of the small world that no network was trained on, each once."""
    rng, seen = random.Random(f"card {name}"), set[str]()
    for _ in range(MAX_DRAWS):
        raw = make(rng)
        if split_of(raw.key) == "test" and raw.key not in seen:
            seen.add(raw.key)
            yield raw


def shown_sample(name: str, question: str, part: Content, answer: str, **facts: object) -> Sample:
    """A question beside what it is about. `options`: the words one of which the answer has to name."""
    message = ChatMessageUser(content=[part, ContentText(text=question)])
    return Sample(id=name, input=[message], target=answer, metadata={"answer": answer, **facts})


# ---- pictures ----


@card_task(
    "capability",
    title="Questions about pictures",
    version=1,
    needs=("pictures",),
    measures={"accuracy": Measure("Accuracy")},
    source=OWN,
    limits=FLAT,
)
def picture_questions(context: Context) -> Parts:
    """How many, which colour, which shape, is there, what is written: forty questions of each kind."""
    found: dict[str, list[Sample]] = {}
    each = NUM_SAMPLES // 5
    for number, raw in enumerate(held_back(scene, "scenes")):
        for kind, question, answer, options in scene_questions(raw, random.Random(number)):
            if len(found.setdefault(kind, [])) < each:
                picture = _picture(raw)
                facts = {"options": options, "groups": {"question": kind}, "cluster": raw.key}
                found[kind].append(shown_sample(f"{kind}-{number}", question, picture, answer, **facts))
        if len(found) == 4 and all(len(held) == each for held in found.values()):
            break
    for number, raw in zip(range(each), held_back(printed, "print")):
        facts = {"options": [], "groups": {"question": "print"}}
        word = raw.truth["word"]
        found.setdefault("print", []).append(
            shown_sample(f"print-{number}", "What is written here?", _picture(raw), word, **facts)
        )
    return Parts(samples=[one for held in found.values() for one in held], judge=judge_seen, solver=ask(64))


def _picture(raw: Raw) -> Content:
    picture = raw.exchanges[0].shown[0]
    assert isinstance(picture, Picture)
    return picture_part(picture.image)


def scene_questions(raw: Raw, rng: random.Random) -> Iterator[tuple[str, str, str, list[str]]]:
    """-> kind, question, answer and the words to choose from, each that the scene allows."""
    things = raw.truth["things"]
    shapes, colours = [shape for shape, *_ in things], [colour for _, colour, _ in things]
    shape = rng.choice(shapes)
    yield "count", f"How many {PLURALS[shape]} are there?", NUMBERS[shapes.count(shape)], NUMBERS
    if shapes.count(shape) == 1:
        yield "colour", f"What colour is the {shape}?", colours[shapes.index(shape)], list(COLOURS)
    colour = rng.choice(colours)
    if colours.count(colour) == 1:
        yield "shape", f"Which shape is {colour}?", shapes[colours.index(colour)], list(SHAPES)
    if rng.random() < 0.5:
        shape, colour, _ = rng.choice(things)
    else:
        shape, colour = rng.choice(list(SHAPES)), rng.choice(list(COLOURS))
    there = any((s, c) == (shape, colour) for s, c, _ in things)
    article = "an" if colour[0] in "aeiou" else "a"
    yield "there", f"Is there {article} {colour} {shape}?", "yes" if there else "no", ["yes", "no"]


def judge_seen(reply: Reply, sample: Sample) -> Verdict:
    """Whether the answer is named, and no other of the words that it is to be chosen from."""
    facts = sample.metadata or {}
    said = f" {comparable(reply.text)} "
    if not said.strip() or reply.rejected:
        return unreadable(reply, "accuracy")
    named = {word for word in facts["options"] if f" {comparable(word)} " in said}
    right = named == {facts["answer"]} if facts["options"] else f" {comparable(facts['answer'])} " in said
    if facts["options"] and not named:
        return unreadable(reply, "accuracy")
    return Verdict(outcome="correct" if right else "wrong", measures={"accuracy": float(right)})


# ---- clips ----


@card_task(
    "capability",
    title="Questions about clips: what moves, and which way?",
    version=1,
    needs=("clips",),
    measures={"accuracy": Measure("Thing and direction"), "direction": Measure("Direction")},
    source=OWN,
    limits=FLAT + " Four or five pictures, two a second. Some clips differ only in where a thing starts.",
)
def clip_questions(context: Context) -> Parts:
    """Things that move to one of four sides or stay."""
    rng, samples = random.Random("card clips"), list[Sample]()
    for _ in range(MAX_DRAWS):
        raw = motion(rng)
        clip = raw.exchanges[0].shown[0]
        if split_of(raw.key) != "test":
            continue
        assert isinstance(clip, Clip)
        way = raw.truth["way"]
        facts = {"thing": raw.truth["name"], "cluster": raw.key, "groups": {"direction": way}}
        samples.append(
            shown_sample(
                f"clip-{len(samples)}", "What moves, and which way?", clip_part(clip.frames), way, **facts
            )
        )
        if len(samples) == NUM_CLIPS:
            break
    return Parts(samples=samples, judge=judge_motion, solver=ask(64))


def judge_motion(reply: Reply, sample: Sample) -> Verdict:
    """Whether the thing and its direction are named, and no other direction."""
    facts = sample.metadata or {}
    said = f" {comparable(reply.text)} "
    if not said.strip() or reply.rejected:
        return unreadable(reply, "accuracy", "direction")
    ways = {way for way, words in WAYS.items() if any(f" {word} " in said for word in words.split("|"))}
    direction = ways == {facts["answer"]}
    thing = all(f" {word} " in said for word in comparable(facts["thing"]).split())
    outcome = "correct" if direction and thing else "wrong thing" if direction else "wrong direction"
    return Verdict(
        outcome=outcome, measures={"accuracy": float(direction and thing), "direction": float(direction)}
    )


# ---- drawings ----


@card_task(
    "capability",
    title="Drawings, checked by a program",
    version=1,
    needs=("drawings",),
    measures={
        "all": Measure("All that was asked for"),
        "count": Measure("So many things"),
        "shape": Measure("In these shapes"),
        "colour": Measure("In these colours"),
        "pairing": Measure("Each shape in its colour"),
    },
    source=OWN,
    limits="The program expects flat shapes on a plain ground, as the sentence asks; a shaded or decorated "
    "drawing may be read wrongly. Size and place are not judged.",
)
def drawings(context: Context) -> Parts:
    """One thing, several alike, or two kinds."""
    samples = []
    for number, raw in zip(range(NUM_SAMPLES), held_back(draw_request, "drawings")):
        facts = {"things": raw.truth["things"], "groups": {"form": raw.truth["form"]}}
        samples.append(Sample(id=f"drawing-{number}", input=raw.exchanges[0].question.text, metadata=facts))
    return Parts(samples=samples, judge=judge_drawing, solver=draw())


def judge_drawing(reply: Reply, sample: Sample) -> Verdict:
    """What the program finds of what was asked for."""
    names = ("count", "shape", "colour", "pairing")
    try:
        picture = Image.open(io.BytesIO(reply.picture or b"")).convert("RGB")
    except (UnidentifiedImageError, OSError):
        return unreadable(reply, "all", *names)
    things = [tuple(thing) for thing in (sample.metadata or {})["things"]]
    scores = score_scene(np.asarray(fit(picture, SIZE)), things)
    found = {name: float(scores[name]) for name in names}
    right = all(found.values())
    return Verdict(outcome="as asked" if right else "otherwise", measures={"all": float(right), **found})
