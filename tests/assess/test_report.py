"""The pages that show records: the newest of each measure, each with its source, between marks only."""

import json
from pathlib import Path

import pytest

from unisono.assess.options import BenchOptions
from unisono.assess.report.guards import guards_table
from unisono.assess.report.index import index
from unisono.assess.report.pages import ROWS, marks, render, run
from unisono.assess.report.records import newest
from unisono.cli import main
from unisono.core.errors import UserError
from unisono.core.home import default_weights
from unisono.core.record import weights_of

RATE = {"mean": 0.5, "stderr": 0.1, "n": 40}


def record(folder: Path, name: str, date: str, what: str, numbers: dict, **config: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(
        json.dumps({"what": what, "date": date, "numbers": numbers, "config": config})
    )


def test_the_newest_of_each_measure_counts(tmp_path: Path) -> None:
    folder = tmp_path / "records"
    record(
        folder,
        "quality_a",
        "2026-01-01",
        "quality",
        {"talks": {"aloud": RATE, "written": RATE}, "sees": {"see": RATE}},
    )
    record(
        folder,
        "quality_b",
        "2026-02-01",
        "quality",
        {"talks": {"aloud": {**RATE, "mean": 0.9}, "written": RATE}},
    )
    found = newest(folder)
    assert found["talks"][0]["aloud"]["mean"] == 0.9 and found["sees"][1].path.name == "quality_a.json"
    table = render(folder)
    assert (
        "90 % ± 10" in table and "scenes 50 % ± 10 (n = 40)" in table and "(records/quality_b.json)" in table
    )


def test_a_twin_that_was_not_at_hand_again_keeps_its_record(tmp_path: Path) -> None:
    folder, bits = tmp_path / "records", {"bpb": 2.0, "stderr": 0.05, "n": 4, "xz_bpb": 3.0, "gzip_bpb": 3.1}
    record(
        folder,
        "quality_a",
        "2026-01-01",
        "quality",
        {"reads": {task: {**bits, "text_only_bpb": 1.9} for task in ("stories", "dialogues")}},
    )
    record(
        folder,
        "quality_b",
        "2026-02-01",
        "quality",
        {"reads": {"stories": {**bits, "bpb": 1.8}, "dialogues": bits}},
    )
    rows = render(folder).splitlines()
    assert any("stories 1.80 ± 0.05 (xz 3.00" in row and "quality_b.json" in row for row in rows)
    assert any("stories 1.90, dialogues 1.90" in row and "quality_a.json" in row for row in rows)


def test_a_measure_of_other_weights_says_so(tmp_path: Path) -> None:
    folder, ships = tmp_path / "records", weights_of(default_weights())
    for name, weights, said in (
        ("a", ships, ""),
        ("b", {**ships, "model.safetensors": "0"}, "other weights"),
        ("c", {}, "weights not recorded"),
        ("d", {**ships, "image_codec/model.safetensors": "0"}, "other weights"),
    ):
        record(
            folder,
            f"quality_{name}",
            f"2026-01-0{ord(name) - 96}",
            "quality",
            {"sees": {"see": RATE}, "audio_codec": {}},
            weights=weights,
        )
        codec, sees = (row for row in render(folder).splitlines() if f"quality_{name}" in row)
        assert sees.endswith(f"json){said and f', {said}'} |")
        assert codec.endswith(f"json){', weights not recorded' if name == 'c' else ''} |")


def test_half_a_measure_is_shown(tmp_path: Path) -> None:
    folder, said = (
        tmp_path / "records",
        {name: {"wer": 0.1, "stderr": 0.0, "n": 5} for name in ("network", "source_voice")},
    )
    record(folder, "quality_a", "2026-01-01", "quality", {"speaks": {"open": said}})
    assert "open sentences 10 % ± 0 / 10 % ± 0 (n = 5)" in render(folder) and "its world" not in render(
        folder
    )
    record(
        folder,
        "quality_b",
        "2026-01-02",
        "quality",
        {"speaks": {"world": {**said, "source_decoded": {"wer": 0.12, "stderr": 0.01, "n": 5}}}},
    )
    assert "its world 10 % ± 0 / 10 % ± 0, through the codec 12 % ± 1 (n = 5)" in render(
        folder
    ) and "open sentences" not in render(folder)


def test_voices_are_shown_where_they_were_judged(tmp_path: Path) -> None:
    folder, errors = (
        tmp_path / "records",
        {"original": {"wer": 0.1, "stderr": 0.0, "n": 5}, "decoded": {"wer": 0.2, "stderr": 0.0, "n": 5}},
    )
    voice = {"mean": 0.91, "stderr": 0.01, "n": 5}
    record(
        folder,
        "quality_a",
        "2026-01-01",
        "quality",
        {"audio_codec": {"hibari": {**errors, "voice": voice}, "piper": {**errors, "voice": voice}}},
    )
    assert "hibari 0.910 ± 0.010 (n = 5), piper 0.910" in render(folder)
    record(folder, "quality_b", "2026-01-02", "quality", {"audio_codec": {"hibari": errors}})
    assert "likeness of the decoded voice" not in render(folder)


def test_only_what_lies_between_the_marks_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    record(tmp_path / "records", "quality_a", "2026-01-01", "quality", {"sees": {"see": RATE}})
    (tmp_path / "docs").mkdir()
    for page, part, said in (
        ("docs/measured.md", "records", "(../records/quality_a.json)"),
        ("README.md", "figures", "50 % ± 10 of answers"),
    ):
        begin, end = marks(part)
        (tmp_path / page).write_text(f"before\n{begin}\nold\n{end}\nafter\n")
        monkeypatch.chdir(tmp_path)
        assert main(["bench", "report"]) == 0
        text = (tmp_path / page).read_text()
        assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text and said in text
        assert "scenes 50 %" in capsys.readouterr().out


def test_the_index_tells_which_records_describe_what_ships(tmp_path: Path) -> None:
    folder, ships = tmp_path / "records", weights_of(default_weights())
    other = {**ships, "model.safetensors": "0" * 16}
    record(folder, "quality_a", "2026-01-01", "quality", {"sees": {"see": RATE}}, weights=ships)
    record(folder, "quality_b", "2026-01-02", "quality", {"image_codec": {}, "sees": {}}, weights=other)
    record(folder, "quality_c", "2026-01-03", "quality", {"sees": {}})
    record(folder / "trials", "d", "2026-01-04", "quality", {"sees": {}}, weights=other)
    record(folder, "bench-page", "2026-01-05", "bench-page", {})
    record(folder, "train-network", "2026-01-06", "train-network", {})
    lines = [line.split(" | ") for line in index(folder, ships).splitlines() if line.startswith("| 2026")]
    assert [line[1:3] + line[5:] for line in lines] == [
        ["[train-network](train-network.json)", "train-network", "how weights were trained |"],
        ["[bench-page](bench-page.json)", "bench-page", "does not depend on weights |"],
        ["[d](trials/d.json)", "sees", "no |"],
        ["[quality_c](quality_c.json)", "sees", "unknown |"],
        ["[quality_b](quality_b.json)", "image_codec, sees", "in part |"],
        ["[quality_a](quality_a.json)", "sees", "yes |"],
    ]
    assert lines[4][3] == "00000000"


def test_without_records_it_says_so(tmp_path: Path, capsys) -> None:
    assert main(["bench", "report", "--records", str(tmp_path / "none")]) == 2
    assert "no records" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["{", "[]", '{"what": "quality"}'])
def test_what_is_no_record_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text(content)
    with pytest.raises(UserError, match="odd.json is no record"):
        render(tmp_path)


def test_a_folder_without_measures_leaves_the_readme_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    begin, end = marks("figures")
    (tmp_path / "README.md").write_text(f"{begin}\n| a table |\n{end}")
    (tmp_path / "records").mkdir()
    with pytest.raises(UserError, match="holds a measure"):
        run(BenchOptions(what="report", records=tmp_path / "records"))
    assert "| a table |" in (tmp_path / "README.md").read_text() and not list(tmp_path.glob("records/*"))


def test_the_records_of_this_repository_render() -> None:
    folder = Path(__file__).resolve().parents[2] / "records"
    if not folder.is_dir():
        pytest.skip("no records yet")
    table = render(folder)
    assert set(newest(folder)) & set(ROWS) and table.count("\n") > 5


def test_training_is_shown_as_it_is_done_and_lines_that_were_taught_too(tmp_path: Path) -> None:
    folder, value = tmp_path / "records", {"median": 1.2, "stderr": 0.1, "n": 5}
    names = ("unisono", "unisono muon")
    record(
        folder,
        "bench-train",
        "2026-01-01",
        "bench-train",
        {key: dict.fromkeys(names, value) for key in ("ratio_to_peer", "tokens_per_s")},
    )
    bits = {"bpb": 2.0, "stderr": 0.05, "n": 4, "xz_bpb": 3.0, "gzip_bpb": 3.1}
    record(
        folder,
        "quality",
        "2026-01-01",
        "quality",
        {
            "reads": {
                "stories": {**bits, "lines_taught_too": 0.004},
                "dialogues": {**bits, "lines_taught_too": 0.23, "new_lines": {**bits, "bpb": 2.5, "n": 3}},
            },
            "knows_its_limits": {"beyond": RATE, "within": {**RATE, "mean": 0.0}},
        },
    )
    table = render(folder)
    assert (
        "with Muon, as it is trained, 1.20 ± 0.10 times" in table
        and "weights not recorded" not in table.split("bench-train")[0].splitlines()[-1]
    )
    assert (
        "dialogues 2.00 ± 0.05 (xz 3.00, gzip 3.10; n = 4); 23% of their lines stand in the training "
        "too, those that do not alone "
        "2.50 ± 0.05 (xz 3.00, gzip 3.10; n = 3)"
    ) in table and table.count("stand in the training too") == 1
    assert "what it cannot know 50 % ± 10 (n = 40), asked what it can 0 % ± 10" in table


def test_guards_are_shown_from_the_newest_record_of_each(tmp_path: Path) -> None:
    folder = tmp_path / "records"
    time = {"median": 3.0, "stderr": 0.1, "n": 6}
    file = {"valid_on": RATE, "valid_off": RATE, "valid_after_change": RATE} | dict.fromkeys(
        ("more_bytes", "ms_on", "ms_off"), time
    )
    drawings = {"c2pa": {"n": 6, **dict.fromkeys(("png", "jpeg", "webp"), file)}}
    record(folder, "bench-guards-c2pa_a", "2026-01-01", "bench-guards", drawings)
    record(folder, "bench-guards-c2pa_b", "2026-02-01", "bench-guards", drawings)
    table = guards_table(newest(folder), "../records")
    assert "c2pa, webp: valid manifest (n = 6) | 50 % ± 10" in table and "c2pa_b.json" in table
    assert "c2pa_a.json" not in table and "watermark" not in table
