"""Token shards: prepared conversations as flat arrays on disk, whole when their manifest exists.

Folder: ids.u16 (ids.u32 of vocabularies above 65,536 ids), learn.bits (one bit per id: is it learned?),
ends.i64 (end of each document), tasks.u8 (number of its task), manifest.json (task names, counts, vocabulary
size; written last).
"""

import json
from pathlib import Path

import numpy as np

from unisono.core.errors import UserError
from unisono.core.home import atomic_write


def id_type(vocab_size: int) -> np.dtype:
    """Of the stored ids: two bytes each while they fit."""
    return np.dtype("<u2" if vocab_size <= 65536 else "<u4")


def ids_name(vocab_size: int) -> str:
    """The file that holds them."""
    return f"ids.u{8 * id_type(vocab_size).itemsize}"


class ShardWriter:
    """Collects documents in memory (a nano corpus is some tens of MB) and writes them at `close`."""

    def __init__(self, folder: Path, vocab_size: int) -> None:
        self.folder, self.vocab_size = Path(folder), vocab_size
        self.ids: list[np.ndarray] = []
        self.learn: list[np.ndarray] = []
        self.tasks: list[str] = []

    def add(self, ids: np.ndarray, loss_mask: np.ndarray, task: str) -> None:
        """(L,) ids and (L,) 0/1 of one document."""
        if len(ids) != len(loss_mask) or not len(ids):
            raise ValueError(
                f"expected as many mask entries as ids and at least one, got {len(loss_mask)} and {len(ids)}"
            )
        self.ids.append(ids.astype(id_type(self.vocab_size)))
        self.learn.append(loss_mask.astype(np.uint8))
        self.tasks.append(task)

    def thin(self, max_bytes: float, seed: int) -> None:
        """Leaves out documents by chance, as many as do not fit."""
        bytes_per_id = id_type(self.vocab_size).itemsize + 1 / 8
        size = sum(len(ids) for ids in self.ids) * bytes_per_id + len(self.ids) * 9
        if size <= max_bytes:
            return
        kept = np.flatnonzero(np.random.default_rng(seed).random(len(self.ids)) < max_bytes / size)
        self.ids, self.learn = ([column[number] for number in kept] for column in (self.ids, self.learn))
        self.tasks = [self.tasks[number] for number in kept]

    def close(self, **facts: object) -> None:
        """Writes everything; `facts` go into the manifest."""
        if not self.ids:
            raise UserError(f"nothing to write to {self.folder}: no document is left; allow more")
        self.folder.mkdir(parents=True, exist_ok=True)
        names = sorted(set(self.tasks))
        arrays = {
            ids_name(self.vocab_size): np.concatenate(self.ids),
            "learn.bits": np.packbits(np.concatenate(self.learn)),
            "ends.i64": np.cumsum([len(ids) for ids in self.ids]).astype("<i8"),
            "tasks.u8": np.array([names.index(task) for task in self.tasks], np.uint8),
        }
        for name, array in arrays.items():
            atomic_write(self.folder / name, array.tofile)
        manifest = {
            "vocab_size": self.vocab_size,
            "tasks": names,
            "num_documents": len(self.ids),
            "num_ids": int(len(arrays[ids_name(self.vocab_size)])),
            **facts,
        }
        atomic_write(
            self.folder / "manifest.json",
            lambda path: Path(path).write_text(json.dumps(manifest, indent=1) + "\n"),
        )


class Shard:
    """Written shards, memory-mapped: one, or several as if they were one."""

    def __init__(self, *folders: Path) -> None:
        self.parts = [_Part(Path(folder)) for folder in folders]
        manifests = [part.manifest for part in self.parts]
        for folder, manifest in zip(folders, manifests):
            if any(manifest.get(fact) != manifests[0].get(fact) for fact in ("vocab_size", "codecs", "base")):
                raise UserError(
                    f"the prepared data in {folder} was made with another vocabulary or other codecs "
                    f"than that in {folders[0]}; "
                    "delete one of the folders"
                )
        self.task_names = sorted({name for manifest in manifests for name in manifest["tasks"]})
        self.manifest = {
            **manifests[0],
            "tasks": self.task_names,
            **{
                count: sum(manifest[count] for manifest in manifests)
                for count in ("num_documents", "num_ids")
            },
        }
        self.tasks = np.concatenate(
            [
                np.array([self.task_names.index(name) for name in part.manifest["tasks"]], np.uint8)[
                    part.tasks
                ]
                for part in self.parts
            ]
        )
        offsets = np.cumsum([0, *(len(part.ids) for part in self.parts)])
        self.ends = np.concatenate([part.ends + offset for part, offset in zip(self.parts, offsets)])
        self.starts = np.concatenate([[0], self.ends[:-1]])
        self.firsts = np.cumsum([0, *(len(part.ends) for part in self.parts)])[:-1]

    @property
    def text_size(self) -> int:
        """The number of ids of text, behind which those of the other modalities come."""
        return int(self.manifest.get("units", {}).get("text", (0, self.manifest["text_end"]))[1])

    def document(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """-> ids (L,) int64, learn (L,) uint8 of one document."""
        part = int(np.searchsorted(self.firsts, number, side="right")) - 1
        return self.parts[part].document(number - int(self.firsts[part]))


class _Part:
    """The files of one folder."""

    def __init__(self, folder: Path) -> None:
        try:
            self.manifest = json.loads((folder / "manifest.json").read_text())
            num_ids, num_documents = self.manifest["num_ids"], self.manifest["num_documents"]
            vocab_size = self.manifest["vocab_size"]
            sizes = {
                ids_name(vocab_size): id_type(vocab_size).itemsize * num_ids,
                "learn.bits": -(-num_ids // 8),
                "ends.i64": 8 * num_documents,
                "tasks.u8": num_documents,
            }
            damaged = [name for name, size in sizes.items() if (folder / name).stat().st_size != size]
        except FileNotFoundError as error:
            missing = Path(error.filename).name
            raise UserError(
                f"no prepared data in {folder}: {missing} is missing; run `unisono data network`"
            ) from None
        except (ValueError, KeyError, TypeError):
            damaged = ["manifest.json"]
        if damaged:
            raise UserError(
                f"the prepared data in {folder} is damaged ({damaged[0]}); delete the folder and run "
                f"`unisono data network` again"
            )
        self.ids = np.memmap(folder / ids_name(vocab_size), id_type(vocab_size), "r")
        self.ends = np.fromfile(folder / "ends.i64", "<i8")
        self.learn = np.unpackbits(np.fromfile(folder / "learn.bits", np.uint8), count=len(self.ids))
        self.tasks = np.fromfile(folder / "tasks.u8", np.uint8)

    def document(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        where = slice(self.ends[number - 1] if number else 0, self.ends[number])
        return self.ids[where].astype(np.int64), self.learn[where]
