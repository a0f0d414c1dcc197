"""Writes docs/api.md from the docstrings of the public modules; nothing is imported, so it takes a moment.

python scripts/api.py            tests/test_docs.py fails while the page is not what this would write
"""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "api.md"
MODULES = (
    "__init__",
    "omni",
    "media.content",
    "media.pictures",
    "media.sound",
    "media.clips",
    "tokens.message",
    "tokenizer",
    "engine.engine",
    "train.loop",
    "core.errors",
)
HEAD = """# Public functions and classes

Written by `scripts/api.py` from the docstrings. Shapes: N samples, B rows, T ids; `pcm` is float32 mono in
[-1, 1]. Everything raises `unisono.UserError` with one sentence for what a caller can mend.
"""
Definition = ast.FunctionDef | ast.ClassDef


def page() -> str:
    """The whole text."""
    return HEAD + "".join(_module(name) for name in MODULES)


def _module(name: str) -> str:
    path = ROOT / "unisono" / (name.replace(".", "/") + ".py")
    tree = ast.parse(path.read_text(encoding="utf8"))
    title = "unisono" if name == "__init__" else f"unisono.{name}"
    text = f"\n## {title}\n\n{_plain(ast.get_docstring(tree))}\n"
    return text + "".join(_entry(node) for node in tree.body if _is_public(node))


def _is_public(node: ast.AST) -> bool:
    return isinstance(node, Definition) and not node.name.startswith("_") and bool(ast.get_docstring(node))


def _entry(node: ast.AST, owner: str = "") -> str:
    assert isinstance(node, Definition)
    doc = _plain(ast.get_docstring(node))
    if isinstance(node, ast.FunctionDef):
        return f"\n- `{owner}{node.name}{_signature(node)}`\n\n{_indented(doc)}\n"
    members = [_entry(part, f"{node.name}.") for part in node.body if _is_public(part)]
    makers = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
    made = "".join(f"`{node.name}{_signature(maker)}`\n\n".replace(" -> None", "") for maker in makers)
    return f"\n### {node.name}\n\n{made}{doc}\n" + "".join(members)


def _signature(node: ast.FunctionDef) -> str:
    if any(
        isinstance(decorator, ast.Name) and "property" in decorator.id for decorator in node.decorator_list
    ):
        return ""
    arguments = ast.unparse(node.args)
    for first in ("self", "cls"):
        arguments = (
            arguments.removeprefix(first).removeprefix(", ")
            if arguments.split(",")[0] == first
            else arguments
        )
    return f"({arguments})" + (f" -> {ast.unparse(node.returns)}" if node.returns else "")


def _plain(doc: str | None) -> str:
    """A docstring as Markdown: a bare < would be taken for a tag; code that it shows is indented already."""
    return (doc or "").replace("<", "&lt;")


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.splitlines())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf8")
