"""The six figures of the README: what somebody asks first, each with the record that it stands in."""

from collections.abc import Callable

from unisono.assess.report.formats import Numbers, share, wer
from unisono.assess.report.records import Record


def _answers(n: Numbers) -> str:
    turns = n["semantic_vad"]
    return f"{turns['p50_ms']:.0f} ms after the question ends (median), 95 % within {turns['p95_ms']:.0f} ms"


def _hears(n: Numbers) -> str:
    return f"{wer(n['world'])} word errors in questions of its world"


def _speaks(n: Numbers) -> str:
    found = n["world"]
    return f"{wer(found['network'])} word errors as Whisper-tiny hears it; the voice it learned from {wer(found['source_voice'])}"  # noqa: E501


def _sees(n: Numbers) -> str:
    return f"{share(n['see'])} of answers about pictures right to the word"


def _draws(n: Numbers) -> str:
    return f"{share(n['all_attributes'])} of what was asked for is found in its drawings"


def _generates(n: Numbers) -> str:
    ids, ratio = n["ids_per_s"]["onnx int8"]["median"], n["ratio_to_peer"]["onnx int8"]["median"]
    return f"{ids:,.0f} ids/s in int8, {ratio:.0f} times transformers in float32 on the same CPU"


FIGURES: tuple[tuple[str, str, Callable[[Numbers], str]], ...] = (
    ("answers aloud", "bench-serve", _answers),
    ("hears", "hears", _hears),
    ("speaks", "speaks", _speaks),
    ("sees", "sees", _sees),
    ("draws", "draws", _draws),
    ("computes", "bench-generate", _generates),
)


def figures(found: dict[str, tuple[Numbers, Record]], place: str) -> str:
    """A table of those that were measured; `place` is the way from the page to the records."""
    lines = ["| it | measured | record |", "|---|---|---|"]
    for what, measure, show in FIGURES:
        if measure in found:
            numbers, record = found[measure]
            lines.append(f"| {what} | {show(numbers)} | [{record.date[:10]}]({place}/{record.path.name}) |")
    return "\n".join(lines)
