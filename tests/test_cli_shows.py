"""The command line shows what the network reads and makes: `show`, drawings, the same for the same seed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from unisono.cli import main

Media = Callable[[str], Path]


def test_show(tiny_network: Path, media: Media, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    svg = tmp_path / "row.svg"
    assert (
        main(
            [
                "show",
                "--model",
                str(tiny_network),
                "--image",
                str(media("a.png")),
                "--audio",
                str(media("a.wav")),
                "--video",
                str(media("a.mp4")),
                "--reply",
                "It says 42.",
                "--svg",
                str(svg),
                "What is [bold]this?",
            ]
        )
        == 0
    )
    found = capsys.readouterr()
    assert (
        found.out.startswith("<|user|><|begin_image|>")
        and "What is [bold]this?<|end|><|assistant|>It says 42.<|end|>" in found.out
    )
    ids = int(found.out.splitlines()[-1].split(" ids:")[0])
    assert "48 image" in found.out and svg.read_text(encoding="utf8").count("<rect") == ids and not found.err


def test_a_drawing(tiny_network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(
            [
                "chat",
                "--model",
                str(tiny_network),
                "--out",
                "image",
                "--save",
                str(tmp_path),
                "--timing",
                "Draw a red circle.",
            ]
        )
        == 0
    )
    found = capsys.readouterr().out.splitlines()
    assert (
        f"drawn: {tmp_path / 'reply1.png'}" in found
        and found[0].startswith("loaded in ")
        and "all after" in found[-1]
    )
    with Image.open(tmp_path / "reply1.png") as drawn:
        assert drawn.size == (256, 256)


def test_the_same_seed_prints_the_same(
    tiny_network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = set()
    for name in "ab":
        assert (
            main(
                [
                    "chat",
                    "--model",
                    str(tiny_network),
                    "--out",
                    "text,audio",
                    "--seed",
                    "3",
                    "--save",
                    str(tmp_path / name),
                    "Hi",
                ]
            )
            == 0
        )
        found.add((capsys.readouterr().out.split("spoken")[0], (tmp_path / name / "reply1.wav").read_bytes()))
    assert len(found) == 1
