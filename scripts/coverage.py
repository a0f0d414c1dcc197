"""Runs the tests and records which share of the package's lines they run, other processes included.

    .venv/bin/python scripts/coverage.py                  all fast tests, then records/coverage_*.json
    .venv/bin/python scripts/coverage.py tests/tokens     a part; its record goes to a temporary folder

The page is JavaScript and not counted. pyproject.toml says what is measured. It takes several times as long
as the tests alone.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from unisono.core.record import write_record

ROOT = Path(__file__).resolve().parents[1]


def coverage(*arguments: str) -> int:
    """`coverage ARGUMENTS` in the repository -> its exit status."""
    return subprocess.run([sys.executable, "-m", "coverage", *arguments], cwd=ROOT, check=False).returncode


def shares(report: dict[str, Any]) -> dict[str, Any]:
    """coverage's JSON -> lines in all, and by room: how many there are, which share was run."""
    rooms: dict[str, list[int]] = {"all": [0, 0]}
    for name, file in report["files"].items():
        parts = Path(name).parts
        room = parts[1].removesuffix(".py") if len(parts) > 1 else name
        for key in ("all", room):
            found = rooms.setdefault(key, [0, 0])
            found[0] += file["summary"]["num_statements"]
            found[1] += file["summary"]["covered_lines"]
    return {
        name: {"lines": lines, "share": round(run / lines, 4) if lines else 1.0}
        for name, (lines, run) in rooms.items()
    }


def main(arguments: list[str]) -> int:
    """Tests under coverage, then the record; the status is that of the tests."""
    coverage("erase")
    status = coverage("run", "-m", "pytest", *arguments)
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch) / "coverage.json"
        if coverage("combine", "--quiet") or coverage("json", "--quiet", "-o", str(page)):
            return 1
        numbers = {"pytest_status": status, "lines": shares(json.loads(page.read_text(encoding="utf8")))}
    folder = Path(tempfile.mkdtemp()) if arguments else ROOT / "records"
    print(json.dumps(numbers["lines"]))
    print(f"record: {write_record('coverage', numbers, config={'pytest': arguments}, folder=folder)}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
