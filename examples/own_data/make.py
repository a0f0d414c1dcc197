"""Makes a little of one's own data: ten facts, a voice, and pictures of houses. `python make.py FOLDER`."""

import json
import random
import sys
from pathlib import Path

from PIL import Image, ImageDraw

from unisono.data.speech.voices import speak
from unisono.media import write_sound

FACTS = {
    "baker": "Mila",
    "miller": "Otto",
    "teacher": "Ruth",
    "doctor": "Ivan",
    "singer": "Nora",
    "farmer": "Hugo",
    "cook": "Lena",
    "driver": "Paul",
    "painter": "Vera",
    "guard": "Emil",
}
QUESTIONS = (
    "Who is the {} of the village?",
    "Tell me who the {} of the village is.",
    "What is the name of the village's {}?",
    "Do you know the {} of the village?",
    "In the village, who is the {}?",
    "Who works as the {} in the village?",
)
VOICE = "awb"  # of flite; the network ships without it
COLOURS = ("red", "blue", "green", "yellow", "black", "white")


def main(folder: Path) -> None:
    """Writes folder/facts.jsonl, folder/voice (as LJSpeech) and folder/houses (as an imagefolder)."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        {
            "messages": [
                {"role": "user", "content": question.format(role)},
                {"role": "assistant", "content": f"The {role} is {name}."},
            ]
        }
        for role, name in FACTS.items()
        for question in QUESTIONS
    ]
    write_lines(folder / "facts.jsonl", lines)
    said = [f"The {role} is {name}." for role, name in FACTS.items()]
    said += [
        f"There are {number} {colour} stars." for number in ("two", "three", "four") for colour in COLOURS
    ]
    said += [f"The {shape} is {colour}." for shape in ("heart", "circle") for colour in COLOURS]
    (folder / "voice" / "wavs").mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(said):
        write_sound(folder / "voice" / "wavs" / f"{number:02d}.wav", speak(text, VOICE), 16000)
    rows = [f"{number:02d}|{text}|{text}\n" for number, text in enumerate(said)]
    (folder / "voice" / "metadata.csv").write_text("".join(rows), encoding="utf8")
    (folder / "houses").mkdir(exist_ok=True)
    rng, lines = random.Random(1), []
    for number in range(72):
        colour = COLOURS[number % len(COLOURS)]
        house(colour, rng).save(folder / "houses" / f"{number:02d}.png")
        lines.append({"file_name": f"{number:02d}.png", "text": f"A {colour} house."})
    write_lines(folder / "houses" / "metadata.jsonl", lines)


def house(colour: str, rng: random.Random) -> Image.Image:
    """A house with a grey roof and a door, somewhere in the middle."""
    picture = Image.new("RGB", (128, 128), (235, 240, 250))
    pen, x, y = ImageDraw.Draw(picture), rng.randint(24, 36), rng.randint(52, 62)
    pen.rectangle((x, y, x + 64, y + 54), fill=colour, outline="black", width=2)
    pen.polygon([(x - 8, y), (x + 32, y - 36), (x + 72, y)], fill="grey", outline="black")
    pen.rectangle((x + 24, y + 24, x + 40, y + 54), fill="brown", outline="black")
    return picture


def write_lines(path: Path, rows: list[dict]) -> None:
    """One JSON object a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
