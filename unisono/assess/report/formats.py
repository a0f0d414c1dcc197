"""How numbers of a record are written for people."""

from collections.abc import Callable

from unisono.assess.report.records import Numbers

Row = tuple[str, str, str]  # what, measured, aim


def share(value: Numbers) -> str:
    """A mean of rights and wrongs."""
    return f"{100 * value['mean']:.0f} % ± {100 * value['stderr']:.0f}"


def wer(value: Numbers) -> str:
    """A word error rate."""
    return f"{100 * value['wer']:.0f} % ± {100 * value['stderr']:.0f}"


def many(numbers: Numbers, names: dict[str, str], show: Callable[[Numbers], str]) -> str:
    """`name value` for each that was measured, and n where it is common."""
    counts = {value["n"] for key in names if (value := numbers.get(key))}
    shown = ", ".join(f"{name} {show(numbers[key])}" for key, name in names.items() if key in numbers)
    return shown + (f" (n = {counts.pop()})" if len(counts) == 1 else "")


def times(value: Numbers, digits: int = 2) -> str:
    """A median of several runs with its standard error."""
    return f"{value['median']:.{digits}f} ± {value['stderr']:.{digits}f}"
