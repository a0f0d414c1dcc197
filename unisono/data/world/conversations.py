"""The small world: pictures with known truth, questions about them, requests to draw, moving things, printed
words.

Every maker takes a random generator and returns a Raw: what is shown, what is asked, what is right. Answers
are short whole sentences, so that the same words can be written and spoken.
"""

import random
from collections.abc import Callable
from zlib import crc32

from unisono.core.progress import track
from unisono.data.world.more_words import MORE_WORDS
from unisono.data.world.pictures import (
    EMOJI,
    MOTIONS,
    Thing,
    draw_emoji,
    draw_motion,
    draw_things,
    draw_word,
)
from unisono.data.world.raw import Clip, Exchange, Picture, Raw, Sentence
from unisono.data.world.samples import LETTERS, cell_centre
from unisono.data.world.sayings import NUMBERS, ask
from unisono.data.world.scenes import PLURALS, SIDES, a, any_kind, exchange, notes, recall, scene
from unisono.data.world.words import WORDS

KNOWN = frozenset(WORDS)
MAX_ALOUD = 2  # of them, where somebody speaks: speech takes ten times the room of writing
PLACES = ((4,), (3, 5), (0, 2, 7), (0, 2, 6, 8), (0, 2, 4, 6, 8))  # cells of one thing, of two, ...


def draw_request(rng: random.Random) -> Raw:
    """A request for one thing, for several equal ones, for two kinds or for two in relation; notes of where
    each stands and of the size that nobody asked for; and the picture that follows from them. As many things
    always stand in the same places: where they stood anywhere, 14 % of the attributes were drawn rightly that
    were 78 % before, after as many steps (1,400; 2026-11-22).
    """
    ask_for = rng.choice(["Draw {}.", "Please draw {}.", "Make a picture of {}.", "Show me {}.", "Paint {}."])
    form = rng.choice(("one", "many", "kinds", "related", "related"))
    side, first, second = None, _kind_asked_for(rng), _kind_asked_for(rng)
    answer = "Here is your picture."
    if form == "one":
        groups = [(1, first)]
        answer = f"Here is {_named(1, first)}."
    elif form == "many":
        groups = [(rng.randint(2, 4), first)]
        answer = f"Here are {_named(*groups[0])}."
    else:
        while second[:2] == first[:2]:
            second = _kind_asked_for(rng)
        groups = (
            [(rng.randint(1, 3), first), (rng.randint(1, 2), second)]
            if form == "kinds"
            else [(1, first), (1, second)]
        )
    names = [_named(*group) for group in groups]
    if form == "related":
        (dx, dy), side = rng.choice(list(SIDES.items()))
        cells: tuple[int, ...] = (4 + dx + 3 * dy, 4 - dx - 3 * dy)
        what = f"{names[0]} {side} {names[1]}"
    else:
        cells, what = PLACES[sum(count for count, _ in groups) - 1], " and ".join(names)
    things = list[Thing]()
    for count, (shape, colour, size) in groups:
        usual = size or ("big" if rng.random() < 0.7 else "small")
        things += [
            Thing(shape, colour, usual, *cell_centre(cells[len(things) + number])) for number in range(count)
        ]
    truth = {"things": [kind for count, kind in groups for _ in range(count)], "side": side, "form": form}
    made = Exchange(
        Sentence(ask_for.format(what)),
        Sentence(answer),
        drawn=Picture(draw_things(things)),
        notes=notes(things),
    )
    return Raw("draw", f"draw {what}", [made], truth)


def _kind_asked_for(rng: random.Random) -> tuple[str, str, str | None]:
    """A kind of thing as people ask for it: shape, colour, and often no size."""
    shape, colour, size = any_kind(rng)
    return shape, colour, size if rng.random() < 0.4 else None


def _named(count: int, kind: tuple[str, str, str | None]) -> str:
    """So many of a kind, in words."""
    shape, colour, size = kind
    before = f"{size} {colour}" if size else colour
    return a(f"{before} {shape}") if count == 1 else f"{NUMBERS[count]} {before} {PLURALS[shape]}"


def emoji_seen(rng: random.Random) -> Raw:
    """A figure, somewhere in the picture, to be named."""
    name = rng.choice(list(EMOJI))
    x, y, width = 32 + rng.uniform(-4, 4), 32 + rng.uniform(-4, 4), rng.uniform(36, 54)
    question = rng.choice(
        ["What is this?", "What do you see?", "What is in the picture?", "What does the picture show?"]
    )
    answer = f"It is {name}." if name in ("glasses", "scissors") else f"It is {a(name)}."
    drawn = draw_emoji(name, x=x, y=y, width=width)
    made = Exchange(Sentence(question), Sentence(answer), [Picture(drawn)])
    return Raw(
        "see_emoji", f"{name} {crc32(drawn.tobytes())}", [made], {"name": name}
    )  # places that round to the same pixels are one


def emoji_request(rng: random.Random) -> Raw:
    """A figure to be drawn, always in the middle."""
    name = rng.choice(list(EMOJI))
    what = name if name in ("glasses", "scissors") else a(name)
    ask_for = rng.choice(["Draw {}.", "Please draw {}.", "Make a picture of {}.", "Show me {}.", "Paint {}."])
    made = Exchange(
        Sentence(ask_for.format(what)),
        Sentence(f"Here {'are' if what == name else 'is'} {what}."),
        drawn=Picture(draw_emoji(name)),
    )
    return Raw("draw_emoji", ask_for.format(what), [made], {"name": name})


def printed(rng: random.Random) -> Raw:
    """A printed word or number, to be read."""
    word = rng.choice(WORDS) if rng.random() < 0.75 else str(rng.randint(0, rng.choice((9, 99, 999))))
    return _to_read("read", word, rng)


def letters(rng: random.Random) -> Raw:
    """Other words, and print that is no word and so can be read but not guessed. No measure asks for
    these.
    """
    while (text := rng.choice(MORE_WORDS) if rng.random() < 0.6 else _no_word(rng)) in KNOWN:
        pass
    return _to_read("letters", text, rng)


def _no_word(rng: random.Random) -> str:
    """Letters by chance, or the beginning of a word and the end of another."""
    if rng.random() < 0.5:
        return "".join(
            rng.choices(LETTERS, [26 - n for n in range(26)], k=rng.choice((2, 3, 4, 4, 5, 5, 6, 6, 7)))
        )
    first, second = rng.choice(WORDS), rng.choice(WORDS)
    return (first[: rng.randint(1, len(first))] + second[rng.randint(0, len(second) - 1) :])[:7]


def _to_read(task: str, word: str, rng: random.Random) -> Raw:
    question = rng.choice(
        [
            "What is written here?",
            "What does it say?",
            "Read the word.",
            "What can you read?",
            "Which word is this?",
        ]
    )
    made = Exchange(Sentence(question), Sentence(f"It says {word}."), [Picture(draw_word(word, rng))])
    return Raw(task, f"printed {word}", [made], {"word": word})


def motion(rng: random.Random) -> Raw:
    """A clip of something that moves, and what and which way."""
    which_way = rng.choice(list(MOTIONS))
    if rng.random() < 0.35:
        name = rng.choice(list(EMOJI))
        frames = draw_motion(
            lambda x, y: draw_emoji(name, x=x, y=y, width=26), which_way, rng.randint(4, 5), rng
        )
    else:
        shape, colour, size = any_kind(rng)
        name = f"{colour} {shape}"
        frames = draw_motion(
            lambda x, y: draw_things([Thing(shape, colour, size, x, y)]), which_way, rng.randint(4, 5), rng
        )
    plural = name in ("glasses", "scissors")
    way = {"still": f"do{'' if plural else 'es'} not move"}.get(
        which_way, f"move{'' if plural else 's'} {which_way}"
    )
    if which_way in ("left", "right"):
        way = f"move{'' if plural else 's'} to the {which_way}"
    question = rng.choice(
        [
            "What happens in the clip?",
            "What moves, and which way?",
            "What do you see in the clip?",
            "Describe the clip.",
        ]
    )
    made = Exchange(Sentence(question), Sentence(f"The {name} {way}."), [Clip(frames)])
    return Raw("watch", f"{name} {which_way}", [made], {"name": name, "way": which_way})


def talk(rng: random.Random) -> Raw:
    """A question that needs no eyes."""
    question, answer, family = ask(rng)
    return Raw("talk", question, [exchange(question, answer)], {"family": family})


MAKERS: dict[str, Callable[[random.Random], Raw]] = {
    "see": scene,
    "recall": recall,
    "draw": draw_request,
    "see_emoji": emoji_seen,
    "draw_emoji": emoji_request,
    "read": printed,
    "letters": letters,
    "watch": motion,
    "talk": talk,
}


def spoken_texts(seed: int, num_draws: int) -> tuple[dict[str, int], dict[str, int]]:
    """What gets asked and answered in `num_draws` conversations: sentence -> how often, questions and answers
    apart.

    The words come from the makers of the pictures, which are drawn and thrown away. Letters bring no other
    questions.
    """
    rng, tasks = random.Random(seed), [task for task in MAKERS if task not in ("letters", "recall")]
    questions: dict[str, int] = {}
    answers: dict[str, int] = {}
    for _ in track(range(num_draws), "sentences of the small world"):
        raw = MAKERS[rng.choice(tasks)](rng)
        for item in raw.exchanges[:MAX_ALOUD]:
            questions[item.question.text] = questions.get(item.question.text, 0) + 1
            answers[item.answer.text] = answers.get(item.answer.text, 0) + 1
    return questions, answers
