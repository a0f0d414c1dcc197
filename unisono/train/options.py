"""What the options of `unisono data` and `unisono train` become; cli/data.py and cli/train.py say what they
mean to a user.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from unisono.core.home import home


@dataclass(frozen=True, kw_only=True)
class CommonOptions:
    """`size` None: small for a network that begins as another LLM (`init`), nano for any other."""

    what: str
    home: Path = field(default_factory=home)
    size: str | None = None
    init: str | None = None  # folder, file or name of an LLM
    start: str | None = None  # folder of a finished network
    shared: Path | None = None  # folder of raw data

    @property
    def network_size(self) -> str:
        """The size that is named, or the usual one."""
        return self.size or ("small" if self.init else "nano")


@dataclass(frozen=True, kw_only=True)
class DataOptions(CommonOptions):
    """Of `unisono data`; `sources` to `deduplicate` are those of `add`."""

    sources: Sequence[str] = ()  # a name, then where the data lies
    licence: str | None = None
    task: str = ""
    count: int = 1000
    tasks: str = ""
    quality: bool = False
    deduplicate: bool = False
    workers: int = 1
    scale: float = 1.0
    max_mb: float = float("inf")
    seed: int = 1


@dataclass(frozen=True, kw_only=True)
class TrainOptions(CommonOptions):
    """Of `unisono train`."""

    data: Sequence[str] = ()  # names of somebody's own data
    shards: str = ""  # where the shards lie, if not in home: a folder, or an address of a store
    replay: float = 0.5
    name: str = ""
    set: Sequence[str] = ()  # FIELD=VALUE of a recipe
    minutes: float = 0.0  # 0: no limit
