"""Folders of sound with transcripts and of pictures with captions, in the orders that are usual -> items.

Sound: LJSpeech (metadata.csv with bars), Common Voice (tables with tabs, clips/), LibriSpeech (*.trans.txt),
Hugging Face's audiofolder (metadata.csv or .jsonl). Pictures: imagefolder, by such a table or by the names of
folders, and WebDataset archives. Both: a .txt file of the same name beside each.
"""

import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from unisono.core.errors import UserError
from unisono.data.own.items import Item, Slice, read_bytes, shown, within
from unisono.data.own.lines import column, json_line, table_rows, text_of
from unisono.media import AUDIO_ENDINGS, PICTURE_ENDINGS

WORDS = ("transcription", "text", "sentence", "transcript", "normalized_text", "caption", "label")
SPEAKERS = ("speaker_id", "speaker", "client_id", "voice")
FILES = ("file_name", "path", "file")
TABLES = ("metadata.csv", "metadata.tsv", "metadata.jsonl")
COMMON_VOICE = ("validated.tsv", "train.tsv", "dev.tsv", "test.tsv")
NO_WORDS = {"sound": "a sound has no transcript", "picture": "a picture has no caption"}
TWICE = "a file is named twice"


def kind_of_file(name: str) -> str:
    """sound, picture, or nothing."""
    ending = PurePosixPath(name).suffix.lower()
    return "sound" if ending in AUDIO_ENDINGS else "picture" if ending in PICTURE_ENDINGS else ""


def ljspeech(table: Path, root: Path) -> Iterator[Item]:
    """id|words|words as they are said; sound in wavs/id.wav."""
    seen = set[str]()
    for number, line in enumerate(read_bytes(table).split(b"\n"), 1):
        if not line.strip():
            continue
        place, text, name = f"{shown(table, root)} line {number}", "", ""
        try:
            fields = text_of(line).strip().split("|")
            text, fault = (
                fields[-1].strip(),
                "" if 2 <= len(fields) <= 3 else "a row has not two or three fields",
            )
            name = f"wavs/{fields[0]}.wav"
        except UserError as error:
            fault = str(error)
        yield _media(place, table.parent, name, text, "", seen, fault, "sound")


def common_voice(table: Path, root: Path) -> Iterator[Item]:
    """Columns client_id, path and sentence; sound in clips/."""
    yield from _table(table, root, "clips/")


def described(table: Path, root: Path) -> Iterator[Item]:
    """A table with a column file_name and one of words, beside its files: audiofolder and imagefolder."""
    yield from _table(table, root, "")


def _table(table: Path, root: Path, where: str) -> Iterator[Item]:
    seen = set[str]()
    for number, row in table_rows(table):
        place = f"{shown(table, root)} line {number}"
        if isinstance(row, str):
            yield Item(place, "sound", fault=row)
            continue
        name = column(row, FILES)
        kind = kind_of_file(name)
        fault = "" if kind else "a row names no file of sound or picture"
        speaker = column(row, SPEAKERS)
        yield _media(
            place, table.parent, where + name, column(row, WORDS), speaker, seen, fault, kind or "sound"
        )


def _media(
    place: str, folder: Path, name: str, text: str, speaker: str, seen: set[str], fault: str, kind: str
) -> Item:
    """An item whose file lies in `folder`; `seen` holds the names before it."""
    path: Path | None = None
    try:
        fault = fault or (TWICE if name in seen else "" if text else NO_WORDS[kind])
        seen.add(name)
        path = None if fault else within(folder, name)
    except UserError as error:
        fault = str(error)
    return Item(place, kind, path, folder, text, speaker, fault=fault)


def librispeech(root: Path) -> Iterator[Item]:
    """speaker/chapter/speaker-chapter.trans.txt with lines `id WORDS`; sound beside it."""
    for table in sorted(root.rglob("*.trans.txt")):
        seen = set[str]()
        for number, line in enumerate(read_bytes(table).split(b"\n"), 1):
            if not line.strip():
                continue
            place, name, text, fault = f"{shown(table, root)} line {number}", "", "", ""
            try:
                name, _, text = text_of(line).strip().partition(" ")
            except UserError as error:
                fault = str(error)
            text = text.capitalize() if text.isupper() else text
            speaker = name.partition("-")[0]
            yield _media(place, table.parent, f"{name}.flac", text, speaker, seen, fault, "sound")


def beside(root: Path, files: list[Path]) -> Iterator[Item]:
    """Sound and pictures with a .txt file of the same name, or pictures in folders that say what they
    show.
    """
    for path in files:
        kind, words = kind_of_file(path.name), path.with_suffix(".txt")
        text, fault = "", ""
        try:
            if words.is_file():
                text = text_of(read_bytes(within(root, str(words)))).strip()
            elif kind == "picture" and path.parent != root:
                text = path.parent.name.replace("_", " ").strip()
            within(root, str(path))
        except UserError as error:
            fault = str(error)
        fault = fault or ("" if text else NO_WORDS[kind])
        yield Item(shown(path, root), kind, path, root, text, fault=fault)


def webdataset(path: Path, root: Path) -> Iterator[Item]:
    """Members of a .tar with the same name but for their endings are one item: a picture or sound and its
    .txt, or a .json with a caption. Nothing is unpacked to disk.
    """
    place = shown(path, root)
    try:
        with tarfile.open(path, "r:") as archive:
            members = archive.getmembers()
    except (tarfile.TarError, EOFError, OSError, ValueError):
        raise UserError(
            f"{path} is no whole .tar archive; one that is packed has to be unpacked first"
        ) from None
    groups: dict[str, list[tarfile.TarInfo]] = {}
    for member in members:
        if not member.isdir():
            folder, name = PurePosixPath(member.name).parent, PurePosixPath(member.name).name
            groups.setdefault(f"{folder / name.partition('.')[0]}", []).append(member)
    for key, found in groups.items():
        yield _group(f"{place} member {key}", path, root, found, path.stat().st_size)


def _group(place: str, path: Path, root: Path, members: list[tarfile.TarInfo], archive_size: int) -> Item:
    endings = [PurePosixPath(member.name).suffix.lower() for member in members]
    media = [member for member in members if kind_of_file(member.name)]
    kind = kind_of_file(media[0].name) if media else "picture"
    fault, text = "", ""
    if any(PurePosixPath(m.name).is_absolute() or ".." in PurePosixPath(m.name).parts for m in members):
        fault = "a member of an archive leads out of it"
    elif any(not m.isreg() or m.sparse is not None for m in members):
        fault = "a member of an archive is no plain file"
    elif any(m.offset_data + m.size > archive_size for m in members):
        fault = "an archive is cut short"
    elif len(set(endings)) < len(endings) or len(media) > 1:
        fault = "an archive has two files for one name"
    elif not media:
        fault = "a member of an archive is neither sound nor picture"
    else:
        try:
            text = _words(path, {ending: m for ending, m in zip(endings, members)})
            fault = "" if text else NO_WORDS[kind]
        except UserError as error:
            fault = str(error)
    slice = Slice(path, media[0].offset_data, media[0].size) if media and not fault else None
    return Item(place, kind, slice, root, text, fault=fault)


def _words(path: Path, members: dict[str, tarfile.TarInfo]) -> str:
    for ending in (".txt", ".caption", ".cls", ".json"):
        if ending in members:
            content = read_bytes(Slice(path, members[ending].offset_data, members[ending].size))
            if ending != ".json":
                return text_of(content).strip()
            row = {key: value for key, value in json_line(content).items() if isinstance(value, str)}
            return column(row, WORDS)
    return ""
