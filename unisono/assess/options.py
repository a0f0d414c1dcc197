"""What the options of `unisono bench` become: one value for all of its programs."""

from dataclasses import dataclass, field
from pathlib import Path

from unisono.core.home import default_weights, home


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """Each program takes the fields that it needs; cli/bench.py says what they mean to a user."""

    what: str
    model: str | None = None  # folder of a network; None: the weights in the package
    shared: Path | None = None
    home: Path = field(default_factory=home)
    samples: int = 100
    twin: str | None = None
    only: str = ""
    data: list[str] = field(default_factory=list)  # names of somebody's own data
    minutes: float = 30.0
    records: Path = Path("records")
    reader: bool = False  # codec: instead of speed, one of these three
    words: bool = False
    probes: bool = False
    codec: str | None = None

    @property
    def part(self) -> str:
        """What of a codec is measured, "" for its speed."""
        return next((name for name in ("reader", "words", "probes") if getattr(self, name)), "")

    @property
    def network(self) -> Path:
        """The folder of the network that is measured. UserError where the package has no weights either."""
        return Path(self.model or default_weights())
