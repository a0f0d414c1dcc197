"""`unisono data add`: somebody's data -> a training and a validation shard under home/own/NAME.

Items are coded in blocks by several processes; each block is written once, so that a build that was
stopped goes on where it was and comes to the same shards. data.json is written last and says that the
whole is there.

Folder: train, val (token shards), data.json (licence, voices, codecs, report), while it is made also
plan.json and parts.
"""

import hashlib
import json
import multiprocessing
import re
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from unisono.codecs.storage import made_by
from unisono.core.errors import UserError
from unisono.core.home import atomic_write
from unisono.core.progress import track
from unisono.data.own.coding import TASKS, Coding, Document, cutter_of
from unisono.data.own.items import Item, Report, Unusable
from unisono.data.shards.prepare import units
from unisono.data.shards.shard import ShardWriter
from unisono.data.splits import split_of
from unisono.model.hf import config_from_hf, read_config
from unisono.tokenizer import OmniTokenizer

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MIN_BLOCK, MAX_BLOCKS = 16, 400  # items of a block; blocks
MIN_SAID = 20  # recordings of somebody whose voice is learned
MAX_VOICES = 16
LOADED: dict[str, Coding] = {}  # of a worker


class Options(NamedTuple):
    """How items are coded; a build goes on only with the same ones."""

    name: str
    start: Path
    max_length: int
    voices: dict[str, str]
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """Items that are coded together, the number of the first, and where to."""

    items: list[Item]
    first: int
    path: Path
    options: Options


def own_folder(home: Path, name: str) -> Path:
    """Where the data of this name lies. UserError for a name that is none."""
    if not NAME.fullmatch(name):
        raise UserError(
            f"{name!r} is no name for data; expected up to 64 letters, digits, dots, dashes and underscores"
        )
    return home / "own" / name


def facts_of(home: Path, name: str) -> dict[str, Any]:
    """What data.json says of finished data. UserError where there is none of this name."""
    path = own_folder(home, name) / "data.json"
    try:
        return json.loads(path.read_text(encoding="utf8"))
    except FileNotFoundError:
        known = ", ".join(sorted(one.parent.name for one in (home / "own").glob("*/data.json"))) or "none yet"
        raise UserError(
            f"no data {name!r} here; there is: {known}. Make it with `unisono data add`"
        ) from None
    except ValueError:
        raise UserError(f"{path} is damaged; delete {path.parent} and run `unisono data add` again") from None


def codecs_of(start: Path, tokenizer: OmniTokenizer) -> dict[str, str]:
    """Names of what ids depend on: only networks with the same ones can learn from a shard."""
    return {
        "said": made_by(tokenizer.audio_codec, ("encoder", "to_latent")),
        "image": made_by(tokenizer.image_codec),
        "text": hashlib.sha256((start / "tokenizer.json").read_bytes()).hexdigest()[:16],
    }


def licence_of(given: str | None) -> str:
    """The licence that was named, or is asked for in a terminal; UserError where nobody can be asked."""
    if given is None and sys.stdin.isatty():
        given = input("Under which licence is this data (e.g. CC-BY-4.0, own)? ")
    if not (given or "").strip():
        raise UserError(
            "the licence of the data is kept with it; name it with --licence, e.g. --licence CC-BY-4.0"
        )
    return str(given).strip()


def add(
    home: Path,
    name: str,
    items: list[Item],
    start: Path,
    licence: str | None,
    workers: int = 1,
    tasks: Iterable[str] = TASKS,
    **facts: object,
) -> Report:
    """Codes the items with the tokenizer of the network in `start` and writes the shards; `facts` are
    kept with them. UserError, and nothing is left, where more than a tenth of the items cannot be used.
    """
    folder = own_folder(home, name)
    if not items:
        raise UserError("there is nothing to learn from: no item was found")
    voices = voices_of(name, items)
    options = Options(
        name, start, config_from_hf(read_config(start)).max_position_embeddings, voices, tuple(tasks)
    )
    tokenizer = OmniTokenizer.load(start)
    codecs = codecs_of(start, tokenizer)
    plan = _planned(folder, items, options, codecs, licence)
    if (folder / "data.json").exists():
        print(f"{name} is finished already; to make it anew, delete {folder}")
        return Report(len(items))
    report = Report(len(items))
    try:
        _code(_blocks(folder, items, options), report, workers)
        report.check()
        _add_notes(report, options, tokenizer)
        _write(folder, report, tokenizer, codecs)
    except Unusable:
        shutil.rmtree(folder)
        raise
    about = {
        "name": name,
        "licence": plan["licence"],
        "tasks": sorted(report.documents),
        "voices": sorted(set(voices.values())) if report.documents.get(f"{name}/speak") else [],
        "codecs": codecs,
        **facts,
        "report": report.to_json(),
    }
    content = json.dumps(about, indent=1) + "\n"
    atomic_write(folder / "data.json", lambda part: part.write_text(content, encoding="utf8"))
    shutil.rmtree(folder / "parts")
    (folder / "plan.json").unlink()
    return report


def voices_of(name: str, items: list[Item]) -> dict[str, str]:
    """Speaker -> the name of the voice that is learned of them: those with enough recordings, the most
    first. Where nobody is named, all is taken to be one voice, which is called like the data.
    """
    counts = Counter(item.speaker for item in items if item.kind == "sound" and not item.fault)
    found = [speaker for speaker, count in counts.most_common(MAX_VOICES) if count >= MIN_SAID]
    if len(counts) == 1:
        return {speaker: name for speaker in found}
    return {speaker: f"{name}-{re.sub('[^A-Za-z0-9]+', '', speaker)[:16]}" for speaker in found if speaker}


def _planned(
    folder: Path, items: list[Item], options: Options, codecs: dict[str, str], licence: str | None
) -> dict:
    """What was decided when the build began; the licence is asked for only then. UserError where another
    build of this name lies there.
    """
    sums = hashlib.sha256(json.dumps([options.name, options.max_length, options.tasks, codecs]).encode())
    for item in items:
        sums.update(item.mark.encode("utf8", "replace") + b"\n")
    mark, path = sums.hexdigest()[:16], folder / "plan.json"
    known = next((one for one in (folder / "data.json", path) if one.exists()), None)
    if known is None:
        plan = {"mark": mark, "licence": licence_of(licence)}
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write(
            path, lambda part: part.write_text(json.dumps(plan, ensure_ascii=False), encoding="utf8")
        )
        return plan
    plan = json.loads(known.read_text(encoding="utf8"))
    if known == path and plan["mark"] != mark:
        raise UserError(
            f"{folder} holds the beginnings of other data of this name; choose another name or delete "
            f"the folder"
        )
    return plan


def _blocks(folder: Path, items: list[Item], options: Options) -> list[Block]:
    size = max(MIN_BLOCK, -(-len(items) // MAX_BLOCKS))
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    return [
        Block(items[first : first + size], first, folder / "parts" / f"{first:08d}.npz", options)
        for first in range(0, len(items), size)
    ]


def _code(blocks: list[Block], report: Report, workers: int) -> None:
    """Codes what is not there yet. Stops as soon as it is certain that too much is left out."""
    for block in blocks:
        if block.path.exists():
            report.left_out += _Part(block.path).faults
    todo = [block for block in blocks if not block.path.exists()]
    for faults in track(_coded(todo, workers), "coded, in blocks", len(todo)):
        report.left_out += faults
        report.check()


def _coded(blocks: list[Block], workers: int) -> Iterator[list[tuple[str, str]]]:
    if workers == 1 or len(blocks) < 2:
        LOADED.clear()
        yield from map(_code_block, blocks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(blocks)), context, _begin_worker) as pool:
        try:
            yield from pool.map(_code_block, blocks)
        except BrokenProcessPool:
            raise UserError(
                "a worker was ended from outside, perhaps for want of memory; run the command again "
                "with fewer "
                "--workers, and it goes on"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    """One thread each; whoever started the workers stops them."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _code_block(block: Block) -> list[tuple[str, str]]:
    """Codes and writes a block -> what is left out of it: places and reasons."""
    if not LOADED:
        LOADED["coding"] = Coding(*_arguments(block.options))
    found, keys, faults = list[tuple[int, Document]](), list[str](), list[tuple[str, str]]()
    for number, item in enumerate(block.items, block.first):
        try:
            if item.fault:
                raise UserError(item.fault)
            coded = LOADED["coding"].code(item, number)
        except Exception as error:  # an item may be wrong in ways that nobody thought of; the others are not
            reason = (
                str(error) if isinstance(error, UserError) else f"cannot be read ({type(error).__name__})"
            )
            faults.append((item.place, reason))
            keys.append("")
            continue
        split = item.split or split_of(coded.key)
        keys.append("val" if split == "val" else f"train {_checksum(coded.key)}")
        found += [(number, document) for document in coded.documents]
    _write_part(block, found, keys, faults)
    return faults


def _arguments(options: Options) -> tuple[Path, str, int, dict[str, str], tuple[str, ...]]:
    return options.start, options.name, options.max_length, options.voices, options.tasks


def _checksum(key: str) -> str:
    return hashlib.sha256(key.encode("utf8", "replace")).hexdigest()[:16]


def _write_part(
    block: Block, found: list[tuple[int, Document]], keys: list[str], faults: list[tuple[str, str]]
) -> None:
    about = {"keys": keys, "faults": faults, "tasks": [document.task for _, document in found]}
    arrays = {
        "ids": np.concatenate([np.zeros(0, "<u4"), *(document.ids.astype("<u4") for _, document in found)]),
        "learn": np.concatenate([np.zeros(0, np.uint8), *(document.learn for _, document in found)]),
        "ends": np.cumsum([len(document.ids) for _, document in found], dtype=np.int64),
        "items": np.array([number - block.first for number, _ in found], np.int64),
        "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
    }

    def write(path: Path) -> None:
        with open(path, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    atomic_write(block.path, write)


class _Part:
    """A written block."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as arrays:
            self.ids, self.learn, self.ends, self.items = (
                arrays[name] for name in ("ids", "learn", "ends", "items")
            )
            about = json.loads(arrays["about"].tobytes())
        self.keys, self.tasks = about["keys"], about["tasks"]
        self.faults = [(place, reason) for place, reason in about["faults"]]

    def documents(self) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
        """(key, task, ids, learn) of each document."""
        starts = [0, *self.ends[:-1].tolist()]
        for task, item, start, end in zip(self.tasks, self.items.tolist(), starts, self.ends.tolist()):
            yield self.keys[item], task, self.ids[start:end], self.learn[start:end]


def _write(folder: Path, report: Report, tokenizer: OmniTokenizer, codecs: dict[str, str]) -> None:
    """All blocks in order -> the two shards. At least one item is held out: the one with the least
    checksum.
    """
    parts = [_Part(path) for path in sorted((folder / "parts").glob("*.npz"))]
    report.left_out = [fault for part in parts for fault in part.faults]
    keys = {key for part in parts for number in part.items.tolist() if (key := part.keys[number])}
    if len(keys - {"val"}) < 2:
        raise Unusable("too little to learn from: expected at least three different items that can be used")
    held_out = {"val"} if "val" in keys else {min(keys)}
    writers = {split: ShardWriter(folder / split, tokenizer.vocab.size) for split in ("train", "val")}
    for part in parts:
        for key, task, ids, learn in part.documents():
            writers["val" if key in held_out else "train"].add(ids, learn, f"{folder.name}/{task}")
            report.documents[f"{folder.name}/{task}"] += 1
    for split, writer in writers.items():
        writer.close(
            split=split, text_end=tokenizer.vocab.span("time").end, units=units(tokenizer), codecs=codecs
        )


def _add_notes(report: Report, options: Options, tokenizer: OmniTokenizer) -> None:
    """What is no fault of an item, but good to know."""
    if options.voices and cutter_of(tokenizer, options.start) is None:
        report.notes.append(
            "no voice is learned: speech is taught word by word, and espeak-ng or the network's phoneme "
            "reader, "
            "which find the words, are missing"
        )


def tell(report: Report) -> None:
    """Prints what became of the items."""
    for task, count in sorted(report.documents.items()):
        print(f"{task}: {count:,} documents")
    if report.left_out:
        print(f"left out: {len(report.left_out):,} of {report.num_items:,} items")
        for reason, count in report.reasons.most_common():
            places = [place for place, why in report.left_out if why == reason]
            print(f"  {count:,} x {reason}: {', '.join(places[:3])}{', ...' if count > 3 else ''}")
    for note in report.notes:
        print(f"note: {note}")
