"""`unisono bench report`: writes the pages that show records, each between its marks, from the records alone.

README.md gets six figures, docs/measured.md the table of all measures, docs/guards.md that of the guards,
records/INDEX.md the list of records.
"""

from collections.abc import Callable
from pathlib import Path

from unisono.assess.options import BenchOptions
from unisono.assess.report.figures import figures
from unisono.assess.report.formats import Numbers, Row
from unisono.assess.report.guards import guards_table
from unisono.assess.report.index import NAME, index
from unisono.assess.report.quality_rows import (
    audio_codec,
    calls,
    draws,
    hears,
    image_codec,
    knows_its_limits,
    moderation,
    phrasings,
    reads,
    reads_twin,
    sees,
    speaks,
    talks,
    talks_in_writing,
)
from unisono.assess.report.records import newest, weights_remark
from unisono.assess.report.speed_rows import (
    chat_speed,
    codec_speed,
    generate_speed,
    page_speed,
    soak,
    train_speed,
    voice_turns,
)
from unisono.core.errors import UserError
from unisono.core.home import atomic_write, default_weights
from unisono.core.record import weights_of

ROWS: dict[str, Callable[[Numbers], list[Row]]] = {
    "audio_codec": audio_codec,
    "image_codec": image_codec,
    "hears": hears,
    "speaks": speaks,
    "sees": sees,
    "draws": draws,
    "talks": talks,
    "talks_in_writing": talks_in_writing,
    "knows_its_limits": knows_its_limits,
    "calls": calls,
    "phrasings": phrasings,
    "reads": reads,
    "reads_twin": reads_twin,
    "bench-train": train_speed,
    "bench-generate": generate_speed,
    "bench-codec": codec_speed,
    "bench-chat": chat_speed,
    "bench-serve": voice_turns,
    "bench-page": page_speed,
    "bench-soak": soak,
    "bench-moderation": moderation,
}


def marks(part: str) -> tuple[str, str]:
    """The lines between which a part of a page is written."""
    return f"<!-- {part}: written by `unisono bench report` -->", f"<!-- /{part} -->"


def render(folder: Path, place: str = "records") -> str:
    """The table of all measures, each row with its record; `place` leads from the page to the records."""
    found, ships = newest(folder), weights_of(default_weights())
    lines = ["| what | measured | aim | record |", "|---|---|---|---|"]
    for name, rows in ROWS.items():
        if name in found:
            numbers, record = found[name]
            remark = weights_remark(name, record, ships)
            link = f"[{record.what}, {record.date[:10]}]({place}/{record.path.name})"
            link += f", {remark}" if remark else ""
            lines += [f"| {what} | {measured} | {aim} | {link} |" for what, measured, aim in rows(numbers)]
    return "\n".join(lines)


def run(options: BenchOptions) -> int:
    """Entry of `unisono bench report`: prints the table and writes the pages in the present folder."""
    folder = options.records
    if not folder.is_dir():
        raise UserError(f"no records in {folder}; `unisono bench quality` and its like write them")
    table = render(folder)
    if table.count("\n") < 2:
        raise UserError(
            f"none of the records in {folder} holds a measure; `unisono bench quality` writes such ones"
        )
    print(table)
    _replace(Path("README.md"), "figures", figures(newest(folder), folder.name))
    _replace(Path("docs/measured.md"), "records", render(folder, f"../{folder.name}"))
    _replace(Path("docs/guards.md"), "guards", guards_table(newest(folder), f"../{folder.name}"))
    page = index(folder, weights_of(default_weights()))
    atomic_write(folder / NAME, lambda part: part.write_text(page, encoding="utf8"))
    return 0


def _replace(page: Path, part: str, text: str) -> None:
    """Writes a part of a page between its marks; a page that is not there, or has none, stays as it is."""
    begin, end = marks(part)
    old = page.read_text(encoding="utf8") if page.exists() else ""
    if begin in old and end in old:
        before, after = old.split(begin)[0], old.split(end)[1]
        new = f"{before}{begin}\n{text}\n{end}{after}"
        atomic_write(page, lambda part: part.write_text(new, encoding="utf8"))
