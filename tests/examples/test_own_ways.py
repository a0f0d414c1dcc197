"""The data of examples/own_ways: what is asked was never taught."""

import json
import subprocess
import sys
from pathlib import Path

import unisono

EXAMPLE = Path(unisono.__file__).parent.parent / "examples" / "own_ways"


def test_two_hundred_chats_are_taught_and_others_are_asked(tmp_path: Path) -> None:
    file = tmp_path / "raw" / "orders.jsonl"
    subprocess.run([sys.executable, str(EXAMPLE / "make.py"), str(file), "3"], check=True)
    rows = [json.loads(line)["messages"] for line in file.read_text().splitlines()]
    code = "import json, make; print(json.dumps(make.split(3)))"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=EXAMPLE)
    taught, asked = json.loads(told.stdout)
    assert [[row[0]["content"], row[1]["content"]] for row in rows] == taught and len(taught) == 200
    assert len(asked) > 200 and not {order for order, _ in taught} & {order for order, _ in asked}
