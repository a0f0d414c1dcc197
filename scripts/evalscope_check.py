"""Checks our word errors of speech against EvalScope's: its task seed_tts_eval beside our measure `speaks`.

    python -m venv .venv-evalscope && .venv-evalscope/bin/pip install evalscope==1.14.1     once
    .venv/bin/python scripts/evalscope_check.py .venv-evalscope/bin/python     then records/evalscope-speech_*

Both ask the network that ships for the same sentences. EvalScope asks `unisono serve` at /v1/audio/speech.
A second endpoint, which this script serves, writes the sound down by Whisper-tiny, and EvalScope counts the
errors. Our measure asks the network directly; Whisper-tiny and our own counting follow. We also measure the
sound that EvalScope kept: what differs there is the counting alone.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from unisono.assess.quality.guard_texts import SENTENCES
from unisono.assess.quality.judge import transcribe, word_error_rate
from unisono.assess.quality.marks import error_rate
from unisono.assess.speed.server import served
from unisono.core.home import default_weights
from unisono.core.record import mean_stderr, weights_of, write_record
from unisono.data.world.sayings import ask
from unisono.media.sound import read_sound, write_sound
from unisono.omni import Omni

ROOT = Path(__file__).resolve().parents[1]
NUM_EACH = 20  # sentences of the small world, and open ones
VOICE = "alloy"  # the preset that `unisono serve` maps to the network's first voice, which Omni.say takes too
TIMEOUT_S = 600


def sentences() -> list[str]:
    """The same NUM_EACH questions of the small world and NUM_EACH open sentences every time."""
    rng = random.Random("evalscope")
    world: dict[str, None] = {}
    while len(world) < NUM_EACH:
        world[ask(rng)[0]] = None
    return [*world, *SENTENCES[:NUM_EACH]]


async def transcriptions(request: Request) -> JSONResponse:
    """POST /v1/audio/transcriptions, by Whisper-tiny."""
    async with request.form() as form:
        content = await form["file"].read()
    sound = read_sound(content)
    return JSONResponse({"text": await run_in_threadpool(transcribe, sound.pcm, sound.sample_rate)})


@contextmanager
def transcriber() -> Iterator[str]:
    """The transcribing endpoint, in a thread -> its base URL."""
    app = Starlette(routes=[Route("/v1/audio/transcriptions", transcriptions, methods=["POST"])])
    config = uvicorn.Config(app, port=0, log_level="warning")
    server, socket = uvicorn.Server(config), config.bind_socket()
    thread = threading.Thread(target=server.run, args=([socket],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        thread.join()


def write_set(folder: Path, texts: list[str]) -> None:
    """The sentences as a local set of EvalScope. A sentence needs a reference sound, which is not sent to the
    speaker: a second of silence.
    """
    folder.mkdir(parents=True)
    write_sound(folder / "silence.wav", np.zeros(16000, np.float32), 16000)
    rows = [
        {
            "filename": f"{n:02}",
            "prompt_text": "-",
            "text": text,
            "WavPath": str(folder / "silence.wav"),
        }
        for n, text in enumerate(texts)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "en.jsonl").write_text(lines, encoding="utf8")
    splits = "configs:\n- config_name: en\n  data_files:\n  - split: train\n    path: en.jsonl\n"
    (folder / "README.md").write_text(f"---\n{splits}---\n", encoding="utf8")


def run_evalscope(python: str, speaker: str, judge: str, folder: Path, texts: list[str]) -> Path:
    """EvalScope's task, one request at a time -> its folder of results."""
    write_set(folder / "set", texts)
    metric = {"audio_wer": {"api_base": judge, "api_key": "-", "model": "tiny", "timeout": TIMEOUT_S}}
    task = {"dataset_id": str(folder / "set"), "subset_list": ["en"], "metric_list": [metric]}
    spoken = {"provider": "openai", "voice": VOICE, "format": "wav", "timeout": TIMEOUT_S}
    options = {
        "--model": "unisono",
        "--eval-type": "text2speech",
        "--api-url": speaker,
        "--api-key": "-",
        "--model-args": json.dumps(spoken),
        "--datasets": "seed_tts_eval",
        "--dataset-args": json.dumps({"seed_tts_eval": task}),
        "--eval-batch-size": "1",
        "--work-dir": str(folder / "results"),
    }
    given = [word for option in options.items() for word in option]
    fresh = os.environ | {
        "HF_DATASETS_CACHE": str(folder / "cache")
    }  # an older set of this name is read otherwise
    command = [python, "-m", "evalscope.cli.cli", "eval", "--no-timestamp", *given]
    subprocess.run(command, env=fresh, check=True)
    return folder / "results"


def reviews(results: Path, texts: list[str]) -> list[dict[str, Any]]:
    """What EvalScope kept of each sentence: text, heard, its word error rate, the file of sound.

    A sentence that EvalScope could not score counts as 1.0 there; here it ends the run.
    """
    [path] = results.glob("reviews/*/seed_tts_eval_en.jsonl")
    rows = []
    for line in path.read_text(encoding="utf8").splitlines():
        kept = json.loads(line)["sample_score"]
        score, text = kept["score"], kept["sample_metadata"]["text"]
        if "audio_wer" in score["metadata"]:
            raise SystemExit(f"EvalScope could not score {text!r}: {score['metadata']['audio_wer']}")
        heard, file = score["metadata"]["transcription"], score["prediction"]
        rows.append({"text": text, "heard": heard, "evalscope": score["value"]["audio_wer"], "file": file})
    rows.sort(key=lambda row: texts.index(row["text"]))
    if [row["text"] for row in rows] != texts:
        raise SystemExit(f"EvalScope scored {len(rows)} of {len(texts)} sentences; see its log")
    return rows


def counted(texts: list[str], heard: list[str]) -> dict[str, Any]:
    """Our word error rates: over all words, as our records have them, and of each sentence."""
    each = [word_error_rate([text], [said]).rate for text, said in zip(texts, heard)]
    return {"pooled": error_rate(texts, heard), "each": each}


def compared(rows: list[dict[str, Any]], same: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """The word error rates side by side; differences are paired by sentence, ours less EvalScope's."""
    theirs = [row["evalscope"] for row in rows]
    return {
        name: {
            "evalscope": mean_stderr(theirs[part]),
            "ours_on_its_sound": mean_stderr(same["each"][part]),
            "ours_on_its_sound_less_evalscope": mean_stderr(np.subtract(same["each"], theirs)[part].tolist()),
            "ours_on_own_sound": mean_stderr(own["each"][part]),
            "ours_on_own_sound_less_evalscope": mean_stderr(np.subtract(own["each"], theirs)[part].tolist()),
        }
        for name, part in {
            "all": slice(None),
            "world": slice(NUM_EACH),
            "open": slice(NUM_EACH, None),
        }.items()
    }


def main(python: str) -> int:
    """Both measures, then the record."""
    version = "from importlib.metadata import version; print(version('evalscope'))"
    found = subprocess.run([python, "-c", version], capture_output=True, text=True, check=True).stdout.strip()
    weights, texts = default_weights(), sentences()
    with tempfile.TemporaryDirectory() as scratch:
        with served(weights) as (port, _, _), transcriber() as judge:
            results = run_evalscope(
                python, f"http://127.0.0.1:{port}/v1", judge, Path(scratch).resolve() / "evalscope", texts
            )
        rows = reviews(results, texts)
        kept = [read_sound(row.pop("file")) for row in rows]
    omni = Omni(weights)
    made = [omni.say(text, seed=0).pcm for text in texts]
    again = [transcribe(sound.pcm, sound.sample_rate) for sound in kept]
    heard = [transcribe(pcm, omni.sample_rate) if len(pcm) else "" for pcm in made]
    same, own = counted(texts, again), counted(texts, heard)
    for row, *more in zip(rows, again, same["each"], heard, own["each"]):
        row |= dict(zip(("heard_again", "ours_on_its_sound", "heard_own", "ours_on_own_sound"), more))
    numbers = {
        "word_error_rate_by_sentence": compared(rows, same, own),
        "pooled": {"ours_on_its_sound": same["pooled"], "ours_on_own_sound": own["pooled"]},
        "sentences": rows,
    }
    config = {
        "script": Path(__file__).name,
        "evalscope": found,
        "voice": VOICE,
        "judge": "Whisper-tiny",
        "weights": weights_of(weights),
    }
    print(json.dumps({name: numbers[name] for name in ("word_error_rate_by_sentence", "pooled")}, indent=1))
    path = write_record("evalscope-speech", numbers, config=config, seeds=[0], folder=ROOT / "records")
    print(f"record: {path}")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    sys.exit(main(sys.argv[1]))
