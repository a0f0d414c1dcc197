"""The building: imports only go down, rooms on one floor do not know each other, no function is long."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import unisono

PACKAGE = Path(unisono.__file__).parent
FLOORS = {
    "core": 0,
    "tokens": 1,
    "codecs": 1,
    "model": 1,
    "media": 1,
    "signals": 1,
    "tokenizer": 2,
    "base": 2,
    "speakers": 2,
    "data": 3,
    "engine": 3,
    "tasks": 3,
    "moderation": 3,
    "provenance": 3,
    "train": 4,
    "serve": 4,
    "export": 4,
    "omni": 4,
    "enroll": 5,
    "forecast": 5,
    "assess": 5,
    "chat": 5,
    "show": 5,
    "cli": 6,
}
# Within serve: a wing imports only wings of a smaller number, and itself.
WINGS = {"wire": 0, "reply": 1, "v1": 2, "realtime": 2, "page": 2, "responses": 3, "": 4}
MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 400
FILES = sorted(PACKAGE.rglob("*.py"))
TESTS_FOLDER = Path(__file__).parent
TESTS = sorted(TESTS_FOLDER.rglob("*.py"))


def name_of(path: Path) -> str:
    """tests/test_floors.py or unisono/cli.py."""
    return str(path.relative_to((PACKAGE if path in FILES else TESTS_FOLDER).parent))


def room(module: str) -> str:
    """unisono.data.shards.loader -> data; unisono.omni -> omni; unisono itself -> nothing."""
    return (module.split(".") + [""])[1]


def own_room(path: Path) -> str:
    return room(".".join(("unisono", *path.relative_to(PACKAGE).with_suffix("").parts)))


def wing(module: str) -> str:
    """unisono.serve.reply.tools -> reply; unisono.serve.app -> nothing."""
    parts = module.split(".")
    return parts[2] if len(parts) > 2 and parts[2] in WINGS else ""


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, module) of each import of this package, those within functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: import by full name"
            names = (
                [f"unisono.{name.name}" for name in node.names]
                if node.module == "unisono"
                else [node.module or ""]
            )
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.split(".")[0] == "unisono")


def test_every_file_has_a_floor() -> None:
    rooms = {own_room(path) for path in FILES} - {"__init__"}
    assert rooms <= set(FLOORS) and len(FILES) > 40


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_go_down(path: Path) -> None:
    own = own_room(path)
    for line, module in imported(path):
        other = room(module)
        assert own != "__init__", f"{path}:{line}: the package itself imports nothing before it is asked to"
        if other in ("", "__version__"):
            continue
        assert other == own or FLOORS[other] < FLOORS[own], (
            f"{path}:{line}: {own} (floor {FLOORS[own]}) imports {module}"
        )


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "serve").rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_the_wings_of_serve_have_an_order(path: Path) -> None:
    own = wing(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts))
    for line, module in imported(path):
        if not module.startswith("unisono.serve."):
            continue
        other = wing(module)
        assert other == own or WINGS[other] < WINGS[own], f"{path}:{line}: serve/{own} imports {module}"


def test_no_two_files_import_each_other() -> None:
    names = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in FILES}
    graph = {
        name: {module for _, module in imported(path) if module in names} for name, path in names.items()
    }
    while graph:  # take away what imports nothing that is left
        free = [name for name, below in graph.items() if not below & graph.keys()]
        assert free, f"files import each other: {', '.join(sorted(graph))}"
        for name in free:
            del graph[name]


@pytest.mark.parametrize("path", [*FILES, *TESTS], ids=name_of)
def test_no_file_is_long(path: Path) -> None:
    length = len(path.read_text(encoding="utf8").splitlines())
    assert length <= MAX_FILE_LINES, f"{path} has {length} lines"


@pytest.mark.parametrize("path", [*FILES, *TESTS], ids=name_of)
def test_no_function_is_long(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= MAX_FUNCTION_LINES, f"{path}:{node.lineno}: {node.name} has {length} lines"


def test_every_dependency_is_listed_with_its_licence() -> None:
    root = PACKAGE.parent
    wanted = set(
        re.findall(
            r'"([A-Za-z0-9_.-]+)(?:\[[\w,]+\])?(?:[><=]=[^"]*)?"',
            (root / "pyproject.toml")
            .read_text(encoding="utf8")
            .partition("dependencies = [")[2]
            .partition("[project.scripts]")[0],
        )
    )
    told = (root / "docs" / "dependencies.md").read_text(encoding="utf8")
    assert len(wanted) > 30 and not [
        name for name in wanted - {"unisono"} if not re.search(rf"[ *]{re.escape(name)}[, |(]", told)
    ]
