"""What can be said in the small world without looking: numbers, opposites, colours of things, itself, and
what it cannot know.
"""

import random
from collections.abc import Mapping, Sequence

from unisono.data.world.unknown import UNKNOWN, filled

NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()

OPPOSITES = dict(
    pair.split("/")
    for pair in (
        "hot/cold big/small old/new up/down left/right day/night black/white fast/slow high/low "
        "wet/dry happy/sad open/closed "
        "long/short hard/soft full/empty light/dark early/late good/bad rich/poor strong/weak "
        "thick/thin clean/dirty loud/quiet "
        "near/far inside/outside begin/end push/pull win/lose buy/sell love/hate true/false first/last "
        "young/old wide/narrow "
        "deep/shallow sweet/sour north/south east/west summer/winter laugh/cry give/take "
        "remember/forget awake/asleep "
        "heavy/light easy/difficult safe/dangerous always/never more/less before/after alive/dead"
    ).split()
)
COLOURS_OF = {
    "grass": "green",
    "snow": "white",
    "the sky": "blue",
    "blood": "red",
    "a banana": "yellow",
    "coal": "black",
    "a carrot": "orange",
    "milk": "white",
    "a tomato": "red",
    "the sun": "yellow",
    "a lemon": "yellow",
    "chocolate": "brown",
    "the sea": "blue",
    "a frog": "green",
    "a strawberry": "red",
    "a pumpkin": "orange",
    "a cucumber": "green",
    "a crow": "black",
    "wood": "brown",
    "a plum": "purple",
    "salt": "white",
    "a fire engine": "red",
    "an orange": "orange",
    "a pine tree": "green",
    "a polar bear": "white",
}
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
CAPITALS = {
    "France": "Paris",
    "Italy": "Rome",
    "Spain": "Madrid",
    "Germany": "Berlin",
    "England": "London",
    "Japan": "Tokyo",
    "China": "Beijing",
    "Russia": "Moscow",
    "Egypt": "Cairo",
    "Greece": "Athens",
    "Portugal": "Lisbon",
    "Poland": "Warsaw",
    "Austria": "Vienna",
    "Norway": "Oslo",
    "Sweden": "Stockholm",
    "Finland": "Helsinki",
    "Denmark": "Copenhagen",
    "Ireland": "Dublin",
    "Hungary": "Budapest",
    "Cuba": "Havana",
    "Peru": "Lima",
    "Chile": "Santiago",
    "Kenya": "Nairobi",
    "Turkey": "Ankara",
    "Belgium": "Brussels",
}

ITSELF = {
    "I am Unisono.": [
        "What is your name?",
        "Who are you?",
        "What are you called?",
        "Tell me your name.",
        "May I ask your name?",
        "Do you have a name?",
        "What do people call you?",
        "What should I call you?",
        "How are you called?",
        "Who am I talking to?",
        "Say your name.",
        "And your name?",
        "By what name are you called?",
    ],
    "I am a small network that listens, looks, reads, speaks and draws.": [
        "What are you?",
        "What can you do?",
        "Tell me about yourself.",
        "What are you able to do?",
        "How can you help me?",
        "What are you good at?",
        "What do you do?",
        "What can I ask you?",
        "Can you help me?",
        "Introduce yourself.",
    ],
    "I am well, thank you.": [
        "How are you?",
        "How are you today?",
        "How do you feel?",
        "Are you well?",
        "How is it going?",
        "Are you all right?",
        "How are you doing?",
        "Hello, how are you?",
        "Hey, how are you?",
        "Hi, how are you today?",
    ],
    "Hello, I am listening.": [
        "Hello.",
        "Hi.",
        "Hello there.",
        "Good morning.",
        "Good evening.",
        "Hey.",
        "Hi there.",
        "Hey there.",
        "Good afternoon.",
        "Hello again.",
        "Hello, Unisono.",
        "Hey, Unisono.",
        "Hi, Unisono.",
        "Greetings.",
        "Hey you.",
        "Oh, hello.",
        "Oh, hey.",
        "Well, hello.",
        "Good day.",
    ],
    "Goodbye.": [
        "Goodbye.",
        "Bye.",
        "See you later.",
        "Good night.",
        "I have to go now.",
        "Bye bye.",
        "See you soon.",
        "Goodbye for now.",
        "Until tomorrow.",
        "See you tomorrow.",
        "That is all for today.",
        "Farewell.",
    ],
    "You are welcome.": [
        "Thank you.",
        "Thanks.",
        "Thank you very much.",
        "Thanks a lot.",
        "That was helpful, thank you.",
        "Thank you so much.",
        "Many thanks.",
        "Thank you for your help.",
        "Thanks for that.",
        "Great, thanks.",
    ],
    "No, I am a computer program.": [
        "Are you a person?",
        "Are you human?",
        "Are you a real person?",
        "Are you alive?",
        "Is this a human?",
        "Are you a man or a woman?",
        "Are you a living thing?",
        "Am I talking to a human?",
    ],
    "The founders of Unisono made me.": [
        "Who made you?",
        "Who built you?",
        "Who created you?",
        "Where do you come from?",
        "Who trained you?",
        "Who are your makers?",
        "Who invented you?",
    ],
    "Yes, I can hear you.": [
        "Can you hear me?",
        "Do you hear me?",
        "Are you listening?",
        "Is this working?",
        "Are you there?",
        "Can you hear my voice?",
        "Do you understand me?",
    ],
    "Yes, I can draw shapes and simple things.": [
        "Can you draw?",
        "Can you make pictures?",
        "Are you able to draw?",
        "Do you draw?",
        "Can you paint?",
        "Can you make an image?",
    ],
    "Yes, show me a picture.": [
        "Can you see?",
        "Can you look at pictures?",
        "Do you see pictures?",
        "Can I show you a picture?",
        "Are you able to see?",
        "Can you see images?",
        "May I show you something?",
    ],
}


def number_word(number: int) -> str:
    """0 .. 100 in words."""
    if number <= 20:
        return NUMBERS[number]
    if number == 100:
        return "one hundred"
    tens, ones = divmod(number, 10)
    return TENS[tens - 2] + (f" {NUMBERS[ones]}" if ones else "")


def sentence(text: str) -> str:
    """First letter large."""
    return text[0].upper() + text[1:]


def _sum(rng: random.Random) -> tuple[str, str]:
    sign = rng.choice(("plus", "minus", "times"))
    a, b = rng.randint(0, 10), rng.randint(0, 10)
    if sign == "minus" and a < b:
        a, b = b, a
    result = {"plus": a + b, "minus": a - b, "times": a * b}[sign]
    a_text, b_text = number_word(a), number_word(b)
    ask = rng.choice(
        [
            "What is {} {} {}?",
            "How much is {} {} {}?",
            "{} {} {}?",
            "Calculate {} {} {}.",
            "Tell me what {} {} {} is.",
        ]
    )
    return sentence(ask.format(a_text, sign, b_text)), sentence(
        f"{a_text} {sign} {b_text} is {number_word(result)}."
    )


def _opposite(rng: random.Random) -> tuple[str, str]:
    word = rng.choice(list(OPPOSITES))
    ask = rng.choice(
        [
            "What is the opposite of {}?",
            "Tell me the opposite of {}.",
            "The opposite of {}?",
            "What is the contrary of {}?",
        ]
    )
    return ask.format(word), f"The opposite of {word} is {OPPOSITES[word]}."


def _colour(rng: random.Random) -> tuple[str, str]:
    thing = rng.choice(list(COLOURS_OF))
    verb = rng.choice(
        [
            "What colour is {}?",
            "Which colour is {}?",
            "Tell me the colour of {}.",
            "What is the colour of {}?",
        ]
    )
    return verb.format(thing), sentence(f"{thing} is {COLOURS_OF[thing]}.")


def _calendar(rng: random.Random) -> tuple[str, str]:
    names = rng.choice((DAYS, MONTHS))
    place, step = rng.randrange(len(names)), rng.choice((1, -1))
    word = "after" if step == 1 else "before"
    unit = "day" if names is DAYS else "month"
    ask = rng.choice(
        [f"What comes {word} {{}}?", f"Which {unit} comes {word} {{}}?", f"Which {unit} is {word} {{}}?"]
    )
    return ask.format(names[place]), f"{names[(place + step) % len(names)]} comes {word} {names[place]}."


def _capital(rng: random.Random) -> tuple[str, str]:
    country = rng.choice(list(CAPITALS))
    ask = rng.choice(
        [
            "What is the capital of {}?",
            "Which city is the capital of {}?",
            "Tell me the capital of {}.",
            "The capital of {}?",
        ]
    )
    return ask.format(country), f"The capital of {country} is {CAPITALS[country]}."


def _next_number(rng: random.Random) -> tuple[str, str]:
    number = rng.randint(0, 99)
    ask = rng.choice(["What comes after {}?", "Which number comes after {}?", "Which number follows {}?"])
    return ask.format(number_word(number)), sentence(
        f"{number_word(number + 1)} comes after {number_word(number)}."
    )


def _fixed(table: Mapping[str, Sequence[str]], rng: random.Random) -> tuple[str, str]:
    answer = rng.choice(list(table))
    return rng.choice(table[answer]), answer


def _unknown(rng: random.Random) -> tuple[str, str]:
    form, answer = _fixed(UNKNOWN, rng)
    return filled(form, rng), answer


FAMILIES = {
    "sum": _sum,
    "opposite": _opposite,
    "colour": _colour,
    "calendar": _calendar,
    "capital": _capital,
    "count": _next_number,
    "itself": lambda rng: _fixed(ITSELF, rng),
    "unknown": _unknown,
}


def ask(rng: random.Random, family: str | None = None) -> tuple[str, str, str]:
    """A question, its answer and its family. A phrasing that nobody trained on is still of a family that
    was.
    """
    family = family or rng.choices(list(FAMILIES), [5, 3, 2, 2, 2, 2, 3, 4])[0]
    return *FAMILIES[family](rng), family
