"""The recipes in runs/: the whole path on a crumb of the raw data, and a piece of training as a GPU would run
it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import tiny_tokenizer

from unisono.codecs.load import load_audio_codec
from unisono.codecs.speech import SpeechCodec
from unisono.data.shards.shard import ShardWriter
from unisono.omni import Omni

ROOT = Path(__file__).resolve().parents[2]
RAW = Path(os.environ.get("UNISONO_SHARED", ROOT.parent / "shared" / "data"))


def script(name: str, *arguments: object, home: Path, timeout: float, **environment: str) -> str:
    """Runs runs/<name> with this Python's `unisono`."""
    command = home / "unisono"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m unisono.cli "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "UNISONO_HOME": str(home), "UNISONO": str(command), **environment}
    done = subprocess.run(
        [ROOT / "runs" / name, *map(str, arguments)],
        env=environment,
        text=True,
        timeout=timeout,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_a_piece_for_a_gpu_resumes_and_finishes(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.save(tmp_path / "shards" / "tiny" / "made-with")
    for split in ("train", "val"):
        writer = ShardWriter(tmp_path / "shards" / "tiny" / split, tokenizer.vocab.size)
        for number in range(8):
            ids, learn = tokenizer.template.document(f"The sky is blue {number}.")
            writer.add(ids, learn, "stories")
        writer.close(split=split, seed=1, text_end=tokenizer.vocab.span("time").end)
    options = [
        "network",
        "tiny",
        "--set",
        "compile=false",
        "--set",
        "loader.batch_size=1",
        "--set",
        "loader.row_length=64",
    ]
    script("gpu.sh", *options, "--set", "loop.num_steps=3", home=tmp_path, timeout=120, MINUTES="0.0001")
    assert not list((tmp_path / "runs" / "network-tiny").glob("train-network_*.json"))
    script("gpu.sh", *options, "--set", "loop.num_steps=3", home=tmp_path, timeout=120)
    record = json.loads(next((tmp_path / "runs" / "network-tiny").glob("train-network_*.json")).read_text())
    assert record["numbers"]["steps"] == 3
    assert isinstance(Omni(tmp_path / "networks" / "tiny").reply("What colour is the sky?", seed=1).text, str)


def test_the_chain_for_a_gpu_goes_on_where_it_stopped(tmp_path: Path) -> None:
    assert "goes on next time" in script("gpu.sh", home=tmp_path, timeout=300, MINUTES="0.0001", SIZE="tiny")
    assert (tmp_path / "runs" / "image-codec" / "checkpoint.pt").exists()
    (tmp_path / "runs" / "image-codec" / "train-image-codec_x.json").write_text("{}")
    assert "now make the shards" in script("gpu.sh", home=tmp_path, timeout=60, MINUTES="0.0001", SIZE="tiny")


@pytest.mark.slow
@pytest.mark.skipif(not RAW.exists(), reason="no raw data; name its folder in UNISONO_SHARED")
@pytest.mark.parametrize(
    ("start", "name"),
    [("", "nano"), (str(ROOT / "unisono" / "weights" / "nano"), "mine")],
    ids=["from raw data", "from finished weights"],
)
def test_the_whole_path_on_a_crumb(tmp_path: Path, start: str, name: str) -> None:
    said = script("cpu.sh", RAW, home=tmp_path, timeout=3600, CRUMB="1", START=start)
    record = json.loads(said.strip().splitlines()[-1])["record"]
    numbers = json.loads(Path(record).read_text())["numbers"]
    assert {"audio_codec", "hears", "sees", "draws", "talks", "reads"} <= set(numbers)
    made = tmp_path / ("crumb-start" if start else "crumb") / "networks" / name
    assert (made / "moderation.safetensors").exists() and (
        made / "audio_codec" / "phonemes.safetensors"
    ).exists()
    reply = Omni(made).reply("Draw a red circle.", outputs=("text", "audio", "image"), seed=1)
    assert np.abs(reply.pcm).max() > 0
    if start:  # two steps from it, it still knows what it knew
        assert (
            Omni(made).reply("What is the capital of France?", seed=1).text
            == "The capital of France is Paris."
        )


@pytest.mark.slow
@pytest.mark.skipif(not RAW.exists(), reason="no raw data; name its folder in UNISONO_SHARED")
def test_the_path_to_the_codec_of_25_ids_on_a_crumb(tmp_path: Path) -> None:
    script("codecs.sh", RAW, home=tmp_path, timeout=3600, CRUMB="1")
    runs = tmp_path / "crumb-codecs" / "runs"
    assert {run.name for run in runs.iterdir()} == {
        "audio-teacher",
        "audio-student",
        "audio-voices",
        "audio-voices-adversarial",
    }
    codec = load_audio_codec(runs / "audio-voices-adversarial" / "codec")
    assert isinstance(codec, SpeechCodec) and codec.codebook_size == 15360
    assert len(list(runs.glob("*/train-*.json"))) == 4
