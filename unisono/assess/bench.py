"""`unisono bench`: speed and memory of training, generation, codecs, chat, server and page.

Each speed is shown as a table for people and, on the last line, as JSON for programs. One record holds it
with the machine, the versions and the commit. speed/timing.py says how time is taken.

Shapes: N samples, F code frames.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import unisono
from unisono.assess.options import BenchOptions
from unisono.assess.speed.generation import bench_generate
from unisono.assess.speed.probe import QUESTION
from unisono.assess.speed.timing import Effort, Measured, Summary, seconds, summary, threads
from unisono.assess.speed.training import bench_train
from unisono.codecs.load import AnyAudioCodec, load_audio_codec
from unisono.codecs.packed import pack
from unisono.core.errors import UserError
from unisono.core.record import can_keep, weights_of, write_record
from unisono.data.speech.recordings import iter_recordings
from unisono.data.world.conversations import MAKERS
from unisono.data.world.raw import Picture
from unisono.media import write_sound
from unisono.omni import Omni
from unisono.tokenizer import OmniTokenizer

PIECE_S = 0.1  # what a microphone delivers at a time
MAX_QUESTION_S = 4.0


Bench = Callable[[BenchOptions, Effort], Measured]


def run(options: BenchOptions, effort: Effort = Effort()) -> int:
    """Entry of `unisono bench` for speed and memory: measures, prints a table, writes a record."""
    can_keep(options.records)
    load_before = os.getloadavg()[0]
    name = f"codec-{options.part}" if options.what == "codec" and options.part else options.what
    measured = bench_of(name)(options, effort)
    config = {
        **measured.config,
        "effort": asdict(effort),
        "model": options.model or "",
        "weights": weights_of(options.network),
        "load_average": {"before": load_before, "after": os.getloadavg()[0]},
    }
    path = write_record(f"bench-{name}", measured.numbers, config=config, folder=options.records)
    Console(soft_wrap=True).print(table(f"bench {name}", measured))
    print(f"record: {path}")
    print(json.dumps({"what": f"bench-{name}", "record": str(path), **measured.numbers}))
    return 0


def bench_of(what: str) -> Bench:
    """The program that measures; those with optional packages are imported only when they are asked for."""
    benches: dict[str, Bench] = {
        "train": bench_train,
        "generate": bench_generate,
        "codec": bench_codec,
        "chat": bench_chat,
    }
    if what == "serve":
        from unisono.assess.speed.server import bench_serve

        benches[what] = bench_serve
    elif what == "page":
        from unisono.assess.speed.page import bench_page

        benches[what] = bench_page
    elif what == "soak":
        from unisono.assess.speed.soak import bench_soak

        benches[what] = bench_soak
    elif what == "formats":
        from unisono.assess.quality.formats import bench_formats

        benches[what] = lambda options, effort: bench_formats(options)
    elif what == "codec-reader":
        from unisono.assess.quality.codec_reader import bench_reader

        benches[what] = lambda options, effort: bench_reader(options)
    elif what == "codec-words":
        from unisono.assess.quality.codec_words import bench_words

        benches[what] = lambda options, effort: bench_words(options)
    elif what == "codec-probes":
        from unisono.assess.quality.codec_probes import bench_probes

        benches[what] = lambda options, effort: bench_probes(options)
    return benches[what]


def table(title: str, measured: Measured) -> Table:
    """The rows for people: medians with their standard errors."""
    shown = Table(title=title, title_justify="left")
    for column, side in (
        ("", "left"),
        ("median", "right"),
        ("+-", "right"),
        ("unit", "left"),
        ("beside", "left"),
    ):
        shown.add_column(column, justify=side)  # type: ignore[arg-type]
    for what, value, unit, beside in measured.rows:
        median, stderr = (
            (value["median"], f"{value['stderr']:.2g}") if isinstance(value, dict) else (value, "")
        )
        shown.add_row(what, "none came" if median is None else f"{median:,.4g}", stderr, unit, beside)
    return shown


# ---- codecs ----


def bench_codec(options: BenchOptions, effort: Effort) -> Measured:
    """Seconds of computing per second of sound on one core, whole and streaming; milliseconds per picture."""
    tokenizer = OmniTokenizer.load(options.network)
    codec = load_audio_codec(options.codec) if options.codec else tokenizer.audio_codec
    pack(codec)
    pcm = some_sound(options.shared, codec.sample_rate, effort.sound_s)
    duration_s = len(pcm) / codec.sample_rate
    with threads(1):
        codes = codec.encode(pcm[None])  # also warms up
        streamed_codes, streamed_pcm, _ = stream(codec, pcm)
        whole_pcm = codec.decode(streamed_codes[None])[0]
        rtf: dict[str, list[float]] = {"encode": [], "decode": [], "whole": [], "streaming": []}
        pieces_s: list[float] = []
        for _ in range(effort.num_turns):
            rtf["encode"].append(seconds(lambda: codec.encode(pcm[None])) / duration_s)
            rtf["decode"].append(seconds(lambda: codec.decode(codes)) / duration_s)
            rtf["whole"].append(rtf["encode"][-1] + rtf["decode"][-1])
            spent = stream(codec, pcm)[2]
            rtf["streaming"].append(sum(spent) / duration_s)
            pieces_s += spent
        pictures_ms = time_pictures(tokenizer, effort)
    numbers = {
        "rtf": {name: summary(values) for name, values in rtf.items()},
        "piece_ms": summary([1000 * spent for spent in pieces_s]),
        "slowest_piece_ms": 1000 * max(pieces_s),
        "differing_codes": int((codes[0] != streamed_codes).sum()),
        "num_codes": codes.shape[1],
        "max_pcm_error": float((whole_pcm - streamed_pcm).abs().max()),
        "picture_ms": pictures_ms,
    }
    config = {
        "threads": 1,
        "piece_s": PIECE_S,
        "sound": "held-out readings" if options.shared else "synthetic",
        "sound_s": duration_s,
        "codec": options.codec or "",
    }
    return codec_report(Measured(numbers, config))


def codec_report(measured: Measured) -> Measured:
    """Adds the rows."""
    numbers = measured.numbers
    for name, value in numbers["rtf"].items():
        measured.row(
            f"sound, {name}", value, "s per s", f"{1 / value['median']:,.0f} x real time on one core"
        )
    measured.row(
        f"sound, a piece of {1000 * PIECE_S:.0f} ms",
        numbers["piece_ms"],
        "ms",
        f"slowest {numbers['slowest_piece_ms']:.1f} ms",
    )
    measured.row(
        "streaming against whole: codes that differ",
        numbers["differing_codes"],
        "",
        f"of {numbers['num_codes']}",
    )
    measured.row("streaming against whole: largest difference", numbers["max_pcm_error"], "of full scale")
    for name, value in numbers["picture_ms"].items():
        measured.row(f"picture, {name}", value, "ms")
    return measured


def some_sound(shared: Path | None, sample_rate: int, length_s: float) -> Tensor:
    """(N,) held-out LibriSpeech readings one after the other; without --shared, gliding tones in bursts over
    noise.
    """
    num_samples = int(length_s * sample_rate)
    if shared:
        pieces: list[np.ndarray] = []
        for recording in iter_recordings(shared, "librispeech_train251", "test"):
            pieces.append(recording.pcm)
            if sum(map(len, pieces)) >= num_samples:
                break
        return torch.from_numpy(np.concatenate(pieces)[:num_samples].astype(np.float32))
    at = torch.arange(num_samples) / sample_rate
    tone = sum(
        torch.sin(2 * torch.pi * (120 * k * at + 15 * k * torch.sin(3 * at))) / k for k in range(1, 12)
    )
    noise = torch.randn(num_samples, generator=torch.Generator().manual_seed(1))
    return (0.2 * tone * torch.sin(2 * torch.pi * 2 * at).clamp(min=0) + 0.01 * noise).clamp(-1, 1)


def stream(codec: AnyAudioCodec, pcm: Tensor) -> tuple[Tensor, Tensor, list[float]]:
    """(N,) in pieces through encoder and decoder -> (F,) codes, (F * frame_size,) pcm, seconds for each
    piece.
    """
    encoder, decoder = codec.encoder_stream(), codec.decoder_stream()
    codes, sound, spent = [], [], []
    for piece in [*pcm.split(int(PIECE_S * codec.sample_rate)), None]:
        began = time.perf_counter()
        codes.append(encoder.flush() if piece is None else encoder.push(piece))
        sound.append(decoder.push(codes[-1]))
        spent.append(time.perf_counter() - began)
    return torch.cat(codes), torch.cat(sound), spent


def time_pictures(tokenizer: OmniTokenizer, effort: Effort) -> dict[str, Summary]:
    """Milliseconds for one picture at a time, fitting included: there and back."""
    rng = random.Random("bench")
    shown = [MAKERS["see"](rng).exchanges[0].shown[0] for _ in range(effort.num_pictures)]
    pictures = [one.image for one in shown if isinstance(one, Picture)]
    codes = [tokenizer.image_part(picture).codes for picture in pictures]
    tokenizer.to_picture(codes[0])
    encode: list[float] = []
    decode: list[float] = []
    for _ in range(effort.num_turns):
        encode += [1000 * seconds(partial(tokenizer.image_part, picture)) for picture in pictures]
        decode += [1000 * seconds(partial(tokenizer.to_picture, code)) for code in codes]
    return {"encode": summary(encode), "decode": summary(decode)}


# ---- chat ----


def bench_chat(options: BenchOptions, effort: Effort) -> Measured:
    """From the start of a fresh process to an answer, typed and spoken; each process is asked once."""
    folder = options.network.resolve()
    with tempfile.TemporaryDirectory() as place:
        wav = Path(place) / "question.wav"
        question_s = speak_question(folder, wav)
        found = [probe(folder, wav) for _ in range(effort.num_processes)]
    numbers: dict[str, Any] = {
        name: summary([one[name] for one in found]) for name in ("import_s", "load_s", "resident_mb")
    }
    for way in ("typed", "spoken"):
        for name in ("first_word_s", "first_sound_s", "total_s", "sound_s"):
            values = [one[way][name] for one in found if one[way][name] is not None]
            numbers[f"{way}_{name}"] = summary(values) if values else None
    numbers["replies"] = {way: found[0][way]["text"] for way in ("typed", "spoken")}
    measured = Measured(numbers, {"question": QUESTION, "question_s": question_s})
    for what, name, unit in (
        ("fresh process until loaded", "load_s", "s"),
        ("of which imports", "import_s", "s"),
        ("typed question: first word", "typed_first_word_s", "s"),
        ("typed question: whole reply", "typed_total_s", "s"),
        ("spoken question: first word", "spoken_first_word_s", "s"),
        ("spoken question: first sound", "spoken_first_sound_s", "s"),
        ("spoken question: whole reply", "spoken_total_s", "s"),
        ("  of which sounds", "spoken_sound_s", "s"),
        ("memory after the replies", "resident_mb", "MB"),
    ):
        measured.row(what, numbers[name], unit)
    return measured


def speak_question(folder: Path, wav: Path) -> float:
    """Lets the network itself say the question -> its length in seconds."""
    omni = Omni(folder)
    pcm = omni.reply(f"Say: {QUESTION}", outputs=("text", "audio"), seed=1).pcm[
        : int(MAX_QUESTION_S * omni.sample_rate)
    ]
    if not len(pcm):
        raise UserError(f"the network in {folder} said nothing when asked to speak; is it trained?")
    write_sound(wav, pcm, omni.sample_rate)
    return len(pcm) / omni.sample_rate


def probe(folder: Path, wav: Path) -> dict:
    """What a fresh process measures; see probe.py."""
    command = [sys.executable, "-m", "unisono.assess.speed.probe", str(folder), str(wav), repr(time.time())]
    package = str(Path(unisono.__file__).resolve().parent.parent)  # found from any folder, installed or not
    paths = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": paths}
    )
    if done.returncode:
        raise UserError(
            f"the measuring process failed: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}"
        )
    return json.loads(done.stdout.splitlines()[-1])
