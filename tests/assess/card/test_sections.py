"""Each section against the real server over the weights that ship, a sample or two of each task."""

import os
from pathlib import Path

import pytest
from markupsafe import escape

pytest.importorskip("inspect_ai")
from conftest import Running

from unisono.assess.card.logs import newest_logs, read_run
from unisono.assess.card.page import CardOptions, run as make_card
from unisono.assess.card.run import AssessOptions, run
from unisono.assess.card.sections import sight
from unisono.assess.card.tasks import SECTIONS, all_tasks

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("UNISONO_SHARED", ROOT.parent / "shared" / "data"))


@pytest.mark.parametrize("section", sorted({task.section for task in all_tasks()}, key=SECTIONS.index))
def test_a_section_runs_and_makes_a_page(
    section: str, shipped_server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sight, "NUM_SAMPLES", 10)  # one of them is asked about; hundreds take long to draw
    monkeypatch.setattr(sight, "NUM_CLIPS", 4)
    shared = SHARED if SHARED.exists() else None
    assert (
        run(
            AssessOptions(
                base_url=shipped_server.url, logs=tmp_path, sections=section, limit=1, shared=shared
            )
        )
        == 0
    )
    tasks = read_run(tmp_path)["tasks"]
    logs, damaged = newest_logs(tmp_path)
    assert tasks and not damaged
    for name, task in tasks.items():
        assert (task["status"], name in logs) == ("done", True) or (task["status"], bool(task["reason"])) == (
            "not run",
            True,
        )
    for _, log in logs.values():
        assert all(sample.scores["judged"].metadata["outcome"] for sample in log.samples)
    assert make_card(CardOptions(folders=[tmp_path], out=tmp_path / "card")) == 0
    page = (tmp_path / "card" / "card.html").read_text()
    assert all(escape(task["title"]) in page for task in tasks.values())


def test_every_task_names_its_source_and_its_limits() -> None:
    assert [task.name for task in all_tasks() if not (task.source and task.limits and task.measures)] == []
