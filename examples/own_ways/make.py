"""Two hundred chats of a task that the network does not know: python make.py FILE SEED.

Orders to a house become short commands: "Please switch on the lamp in the kitchen." -> "lamp kitchen on".
"""

import json
import random
import sys
from pathlib import Path

THINGS = "lamp radio heater fan oven screen clock camera door window".split()
PLACES = "kitchen garden cellar hall bathroom office garage attic".split()
ON = ("Switch on the {} in the {}.", "Turn the {} in the {} on, please.", "I want the {} of the {} to run.")
OFF = ("Switch off the {} in the {}.", "Turn the {} in the {} off, please.", "No more {} in the {} now.")
CASES = [
    (form.format(thing, place), f"{thing} {place} {state}")
    for state, forms in (("on", ON), ("off", OFF))
    for form in forms
    for thing in THINGS
    for place in PLACES
]


def split(seed: int, taught: int = 200) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """-> the orders and commands that are taught, and those that are not."""
    cases = random.Random(seed).sample(CASES, len(CASES))
    return cases[:taught], cases[taught:]


def main(file: str, seed: str) -> None:
    """Writes what is taught, in the form of OpenAI's chat fine-tuning."""
    rows = [
        {"messages": [{"role": "user", "content": order}, {"role": "assistant", "content": command}]}
        for order, command in split(int(seed))[0]
    ]
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
