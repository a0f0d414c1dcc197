"""records/INDEX.md: every record, what it measured, and whether it describes the weights that ship."""

from pathlib import Path

from unisono.assess.report.records import WEIGHTS, Record, read, weights_remark

NAME = "INDEX.md"
HEAD = """# Records

Every number in README, docs and cards stands in one of these files. `unisono bench report` writes this list.
A file's name says what was measured, on which machine, when. "Weights" are the first 8 digits of the
fingerprint of model.safetensors. `trials/` holds what was tried and did not ship.

| date | record | what | weights | commit | describes what ships |
|---|---|---|---|---|---|
"""


def index(folder: Path, ships: dict[str, str]) -> str:
    """The page for all records under `folder`, newest first."""
    found = sorted(map(read, folder.rglob("*.json")), key=lambda record: (record.date, record.path.name))
    return HEAD + "".join(_line(record, folder, ships) for record in reversed(found))


def _line(record: Record, folder: Path, ships: dict[str, str]) -> str:
    place = record.path.relative_to(folder).as_posix()
    what = record.what if record.what != "quality" else ", ".join(record.measures)
    weights = str(record.weights.get("model.safetensors", ""))[:8]
    return (
        f"| {record.date[:10]} | [{record.path.stem}]({place}) | {what} | {weights} | {record.commit[:8]} | "
        f"{_describes(record, ships)} |\n"
    )


def _describes(record: Record, ships: dict[str, str]) -> str:
    """yes, in part, no, or unknown; a training run and a speed without weights describe none."""
    if record.what.startswith("train-"):
        return "how weights were trained"
    if all(WEIGHTS.get(measure) == "none" for measure in record.measures):
        return "does not depend on weights"
    remarks = {weights_remark(measure, record, ships) for measure in record.measures}
    if remarks == {""}:
        return "yes"
    if "weights not recorded" in remarks:
        return "unknown"
    return "in part" if "" in remarks else "no"
