"""Where the tasks' data come from: public sets from the shared folder, own sets from the package.

The public sets are for measuring only. They are read from where they lie and never copied into the package.
"""

import json
import socket
from pathlib import Path
from typing import Any

from unisono.assess.card.tasks import Context, NotRun
from unisono.core.errors import UserError
from unisono.data.zst import unpack

OWN = Path(__file__).parent / "sets"


def public(context: Context, name: str) -> list[dict[str, Any]]:
    """The records of eval_public/NAME.jsonl.zst. NotRun where it is not at hand or damaged."""
    if context.shared is None:
        raise NotRun(
            "its data set is not part of the package; give --shared, the folder that holds eval_public/"
        )
    path = context.shared / "eval_public" / f"{name}.jsonl.zst"
    try:
        return [json.loads(line) for line in unpack(path).decode("utf8").splitlines() if line.strip()]
    except UserError as error:
        raise NotRun(str(error)) from None
    except ValueError:
        raise NotRun(f"{path.name} is damaged; fetch it again") from None


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
