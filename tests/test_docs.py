"""The pages for people: links lead somewhere, named files exist, the list of functions is up to date."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "cards/*.md", "examples/*.md", "records/*.md", "dev/*.md")
    for path in ROOT.glob(pattern)
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
NAMED = re.compile(r"`((?:unisono|tests|scripts|runs|examples|docs|records)/[\w./-]+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf8")
    links = [link for link in LINK.findall(text) if not re.match(r"https?:|mailto:|#", link)]
    missing = [link for link in links if not (page.parent / link.partition("#")[0]).exists()]
    assert not missing, missing


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.parent.name != "dev"],  # the log tells of files that are gone
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_files_that_are_named_exist(page: Path) -> None:
    missing = [name for name in NAMED.findall(page.read_text(encoding="utf8")) if not (ROOT / name).exists()]
    assert not missing, missing


def test_the_first_screen_shows_how_to_start_and_a_picture() -> None:
    first = (ROOT / "README.md").read_text(encoding="utf8").splitlines()[:40]
    assert any("./unisono.sh" in line for line in first) and any("![" in line for line in first)


def test_the_list_of_functions_is_up_to_date() -> None:
    api = runpy.run_path(str(ROOT / "scripts" / "api.py"))
    assert api["PAGE"].read_text(encoding="utf8") == api["page"](), "run python scripts/api.py"
