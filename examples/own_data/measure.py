"""Asks the facts and measures what was held out: python measure.py HOME RECORDS [SAMPLES]."""

import subprocess
import sys
from pathlib import Path

from make import FACTS, QUESTIONS

import unisono
from unisono.core.home import default_weights
from unisono.core.record import mean_stderr, weights_of, write_record


def facts_known(folder: Path) -> dict[str, float | int]:
    """How often a network names the right person, asked in the first of the ways that were taught."""
    omni = unisono.load(folder)
    replies = [omni.reply(QUESTIONS[0].format(role), seed=0).text for role in FACTS]
    for role, reply in zip(FACTS, replies):
        print(f"{role}: {reply}")
    return mean_stderr([float(name in reply) for name, reply in zip(FACTS.values(), replies)])


def main(home: Path, records: Path, samples: str = "20") -> None:
    """Writes a record of the facts, and with `unisono bench quality` one of each network."""
    folders = {"before": default_weights(), "after": home / "networks" / "mine"}
    numbers = {when: facts_known(folder) for when, folder in folders.items()}
    config = {when: weights_of(folder) for when, folder in folders.items()}
    print(write_record("own-data-facts", {"facts_right": numbers}, config=config, folder=records))
    for folder in folders.values():
        command = [
            sys.executable,
            "-m",
            "unisono.cli",
            "bench",
            "quality",
            "--data",
            "facts",
            "awb",
            "houses",
        ]
        command += [
            "--model",
            str(folder),
            "--home",
            str(home),
            "--records",
            str(records),
            "--samples",
            samples,
        ]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
