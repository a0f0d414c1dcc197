"""Runs the tests of clients that others wrote, and records each client's version with what came of its tests.

    .venv/bin/python -m pip install -e ".[clients]"     once; node and npm for the clients in JavaScript
    .venv/bin/python scripts/clients.py                 then records/clients_*.json
    .venv/bin/python scripts/clients.py -k livekit      some of them; the record goes to a temporary folder

A client that is not installed is recorded as skipped, and the status is 1: nobody shall take it for a pass.
"""

import json
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from xml.etree import ElementTree

from unisono.core.home import default_weights
from unisono.core.record import weights_of, write_record

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests" / "clients"


def versions() -> dict[str, str]:
    """Client -> version: those of the extra `clients` that are installed, and those that npm installs."""
    names = re.search(r"^clients = \[(.*)\]$", (ROOT / "pyproject.toml").read_text(encoding="utf8"), re.M)
    found = {}
    for name in re.findall(r'"([\w-]+)', names[1] if names else ""):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    wanted = json.loads((TESTS / "package.json").read_text(encoding="utf8"))["dependencies"]
    return found | {f"npm {name}": version for name, version in wanted.items()}


def outcomes(page: Path) -> dict[str, str]:
    """pytest's JUnit XML -> test -> passed, failed, or why it was skipped."""
    found = {}
    for case in ElementTree.parse(page).iter("testcase"):
        skipped = case.find("skipped")
        is_wrong = case.find("failure") is not None or case.find("error") is not None
        said = "failed" if is_wrong else "passed" if skipped is None else f"skipped: {skipped.get('message')}"
        found[f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"] = said
    return found


def main(arguments: list[str]) -> int:
    """The tests, then the record; 0 if all passed and none was skipped."""
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch) / "tests.xml"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-m",
            "slow",
            "-rs",
            f"--junitxml={page}",
            TESTS,
            *arguments,
        ]
        subprocess.run(command, cwd=ROOT, check=False)
        if not page.exists():
            return 1
        numbers = {"clients": versions(), "tests": outcomes(page)}
    folder = Path(tempfile.mkdtemp()) if arguments else ROOT / "records"
    config = {"pytest": arguments, "weights": weights_of(default_weights())}
    path = write_record("clients", numbers, config=config, folder=folder)
    print(f"record: {path}")
    return 0 if set(numbers["tests"].values()) == {"passed"} else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
