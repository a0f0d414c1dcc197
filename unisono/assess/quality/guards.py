"""`unisono bench guards`: what each guard of the server catches, what it catches wrongly, and what it costs.

Costs are milliseconds of processor time of one thread, so that other work on the machine hardly changes them.
docs/guards.md is written from the record.
"""

import io
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import av
import numpy as np
import soxr
from numpy.typing import NDArray

from unisono.assess.options import BenchOptions
from unisono.assess.quality.consent import measure_consent
from unisono.assess.quality.guard_texts import SENTENCES
from unisono.assess.speed.timing import summary
from unisono.core.errors import UserError
from unisono.core.progress import track
from unisono.core.record import can_keep, mean_stderr, weights_of, write_record
from unisono.data.speech.recordings import SAMPLE_RATE, iter_recordings
from unisono.data.speech.voices import Voice, speak
from unisono.media import read_sound
from unisono.omni import Omni
from unisono.provenance import manifest, watermark
from unisono.serve.reply.guards import Guards
from unisono.speakers.encoder import window_embedding
from unisono.speakers.guard import WINDOW_S, VoiceGuard, voiced

Pcm = NDArray[np.float32]
Numbers = dict[str, Any]
PIECE_S = 3.0  # that recordings are cut to
CHUNK = 1280  # samples that leave the codec at once
SETS = ("librispeech_train251", "neural_speech")  # of people, and of other synthesizers


def run(options: BenchOptions) -> int:
    """Entry of `unisono bench guards`: measures those of --only, or all; writes a record."""
    can_keep(options.records)
    names = [name for name in options.only.split(",") if name] or list(MEASURES)
    if unknown := [name for name in names if name not in MEASURES]:
        raise UserError(f"no guard {unknown[0]!r} is measured; choose from {', '.join(MEASURES)}")
    numbers = {name: MEASURES[name](options) for name in names}
    config = {"weights": weights_of(options.network), "samples": options.samples}
    part = "-".join(names) if len(names) < len(MEASURES) else ""
    record = write_record("bench-guards", numbers, config=config, folder=options.records, part=part)
    print(f"record: {record}")
    print(json.dumps({"what": "bench-guards", "record": str(record), **numbers}))
    return 0


def cpu_ms(work: Callable[[], object]) -> float:
    """Milliseconds of processor time that `work()` takes on this thread."""
    began = time.thread_time()
    work()
    return 1000 * (time.thread_time() - began)


def own_speech(options: BenchOptions, count: int) -> list[Pcm]:
    """What the network says, unmarked, at SAMPLE_RATE: two sentences a clip."""
    omni = Omni(options.network)
    made = [omni.say(text, seed=0).pcm for text in track(SENTENCES[: 2 * count], "its own speech")]
    return [np.concatenate(made[place : place + 2]) for place in range(0, len(made) - 1, 2)]


def recorded(options: BenchOptions, count: int) -> dict[str, list[Pcm]]:
    """Clips of PIECE_S and more from the sets of recordings under --shared, `count` of each."""
    if not options.shared:
        raise UserError("bench guards needs --shared DIR, the folder with the recordings")
    found: dict[str, list[Pcm]] = {}
    for name in SETS:
        clips = found.setdefault(name, [])
        for recording in iter_recordings(options.shared, name):
            if len(recording.pcm) > PIECE_S * SAMPLE_RATE:
                clips.append(recording.pcm[: 8 * SAMPLE_RATE])
            if len(clips) == count:
                break
    return found


# ---- watermark ----


def measure_watermark(options: BenchOptions) -> Numbers:
    """Detected shares of marked speech, and of unmarked speech, after each attack; PESQ; cost."""
    count = min(options.samples, len(SENTENCES) // 2)
    clips = {"own": own_speech(options, count), **recorded(options, options.samples)}
    attacks = _attacks(np.random.default_rng(0))
    numbers: Numbers = {"detected": {}, "false": {}}
    for name, attack in attacks.items():
        marked = {source: [attack(_marked(pcm)) for pcm in found] for source, found in clips.items()}
        plain = [attack(pcm) for found in clips.values() for pcm in found]
        numbers["detected"][name] = {source: _share(found) for source, found in marked.items()}
        numbers["false"][name] = _share(plain)
    whole = [pcm for found in clips.values() for pcm in found]
    numbers["false_other_keys"] = mean_stderr(
        [
            float(watermark.detect(_cut(pcm), SAMPLE_RATE, f"key {number}").is_marked)
            for pcm in whole
            for number in range(5)
        ]
    )
    numbers["pesq_lost"] = _pesq_lost(whole)
    numbers["cost"] = _cost(clips["own"])
    return numbers


def _marked(pcm: Pcm) -> Pcm:
    mark = watermark.Watermark(SAMPLE_RATE)
    return np.concatenate([mark.push(pcm), mark.flush()])


def _share(clips: Sequence[Pcm]) -> Numbers:
    return mean_stderr([float(watermark.detect(pcm, SAMPLE_RATE).is_marked) for pcm in clips])


def _cut(pcm: Pcm) -> Pcm:
    """The middle PIECE_S, at a place that is no multiple of anything."""
    size = round(PIECE_S * SAMPLE_RATE)
    start = max(0, (len(pcm) - size) // 2 - 77)
    return pcm[start : start + size]


def _attacks(random: np.random.Generator) -> dict[str, Callable[[Pcm], Pcm]]:
    """Each makes what somebody might do to a recording."""

    def noise(pcm: Pcm) -> Pcm:
        level = np.sqrt((pcm**2).mean()) * 10 ** (-20 / 20)
        return (pcm + random.normal(0, level, len(pcm))).astype(np.float32)

    def resampled(rate: int) -> Callable[[Pcm], Pcm]:
        return lambda pcm: soxr.resample(soxr.resample(pcm, SAMPLE_RATE, rate), rate, SAMPLE_RATE)

    def mp3(pcm: Pcm) -> Pcm:
        return _coded(pcm, "mp3", "libmp3lame", 24000, 64000)

    def opus(pcm: Pcm) -> Pcm:
        return _coded(pcm, "ogg", "libopus", 48000, 24000)

    return {
        "none": lambda pcm: pcm,
        "mp3_64": mp3,
        "opus_24": opus,
        "resampled_8000": resampled(8000),
        "resampled_44100": resampled(44100),
        "noise_20_db": noise,
        "cut_3_s": _cut,
        "mp3_64_cut_3_s": lambda pcm: _cut(mp3(pcm)),
        "opus_24_cut_3_s": lambda pcm: _cut(opus(pcm)),
        "noise_20_db_cut_3_s": lambda pcm: _cut(noise(pcm)),
    }


def _coded(pcm: Pcm, container: str, codec: str, rate: int, bit_rate: int) -> Pcm:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream: Any = out.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = bit_rate
        samples = (np.clip(soxr.resample(pcm, SAMPLE_RATE, rate), -1, 1) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    sound = read_sound(file.getvalue())
    return np.asarray(soxr.resample(sound.pcm, sound.sample_rate, SAMPLE_RATE), np.float32)


def _pesq_lost(clips: Sequence[Pcm]) -> Numbers:
    """What PESQ (wide band) gives to a recording beside itself, less what it gives to the marked one."""
    try:
        from pesq import pesq
    except ImportError as error:
        raise UserError(f"bench guards needs the package {error.name}; pip install 'unisono[pesq]'") from None
    lost = [
        pesq(SAMPLE_RATE, pcm, pcm, "wb") - pesq(SAMPLE_RATE, pcm, _marked(pcm), "wb") for pcm in clips[::3]
    ]
    return mean_stderr(lost)


def _cost(clips: Sequence[Pcm]) -> Numbers:
    """ms for each piece of 80 ms that leaves; how much later it leaves; ms to check a recording of 10 s."""
    mark, pcm = watermark.Watermark(SAMPLE_RATE), np.concatenate(clips)
    pieces = [pcm[start : start + CHUNK] for start in range(0, min(len(pcm), 400 * CHUNK), CHUNK)]
    tenth = np.resize(pcm, 10 * SAMPLE_RATE)
    return {
        "ms_per_80_ms": summary([cpu_ms(partial(mark.push, piece)) for piece in pieces]),
        "delay_ms": 2000 * watermark.HOP_S,
        "check_10_s_ms": summary([cpu_ms(lambda: watermark.detect(tenth, SAMPLE_RATE)) for _ in range(5)]),
    }


# ---- manifests ----


def measure_c2pa(options: BenchOptions) -> Numbers:
    """Drawings with and without the guard: read back, after a change of one byte; cost and bytes."""
    if (reason := manifest.missing()) is not None:
        raise UserError(reason)
    omni, off, on = Omni(options.network), Guards(), Guards(signer=manifest.Signer())
    prompts = [
        f"Draw a {colour} {shape}." for colour in ("red", "blue", "green") for shape in ("circle", "square")
    ]
    drawn = [omni.reply(prompt, outputs=("image",), seed=0).pictures for prompt in prompts]
    enlarged = [picture.resize((256, 256)) for pictures in drawn for picture in pictures]
    numbers: Numbers = {"n": len(enlarged)}
    for format in ("png", "jpeg", "webp"):
        plain, signed = ([one.file_of(picture, format) for picture in enlarged] for one in (off, on))
        mime = f"image/{format}"
        found = [manifest.read_manifest(content, mime) for content in signed]
        changed = [manifest.read_manifest(_changed(content, len(plain[0])), mime) for content in signed]
        numbers[format] = {
            "valid_on": mean_stderr([float(one is not None and one.is_ours) for one in found]),
            "valid_off": mean_stderr(
                [float(manifest.read_manifest(content, mime) is not None) for content in plain]
            ),
            "valid_after_change": mean_stderr([float(one is not None and one.is_ours) for one in changed]),
            "more_bytes": summary([len(b) - len(a) for a, b in zip(plain, signed)]),
            "ms_off": summary([cpu_ms(partial(off.file_of, picture, format)) for picture in enlarged]),
            "ms_on": summary([cpu_ms(partial(on.file_of, picture, format)) for picture in enlarged]),
        }
    return numbers


def _changed(content: bytes, size: int) -> bytes:
    """One bit within the picture's own data, which is the last or (WebP) the first part of the file."""
    place = size // 2 if content[:4] == b"RIFF" else len(content) - size // 3
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


# ---- voices ----

SYNTHESIZED = ("joe", "slt", "rms", "awb", "kal", "espeak00", "espeak05", "espeak10")
ABROAD = {  # espeak-ng's languages
    "de": "Guten Morgen, ich hoffe, Sie haben gut geschlafen.",
    "fr": "Il fait beau dehors, et nous allons au jardin.",
    "es": "Hoy vamos a caminar por la playa con los amigos.",
    "it": "Oggi andiamo al mercato a comprare la frutta fresca.",
}


def measure_voice(options: BenchOptions) -> Numbers:
    """Replies cut, of the network's own voice and of others; how soon; false cuts an hour; cost.

    A positive is a reply in a foreign voice. English ones are people and synthesizers, the others espeak-ng.
    """
    guard = VoiceGuard.load(options.network)
    own = own_speech(options, min(options.samples, len(SENTENCES) // 2))
    texts = SENTENCES[:2]
    english = [pcm[: 4 * SAMPLE_RATE] for pcm in recorded(options, options.samples)["librispeech_train251"]]
    english += [speak(text, name) for name in SYNTHESIZED for text in texts]
    abroad = [
        speak(text, Voice(f"{language}{timbre}", "espeak", {"voice": language + timbre}))
        for language, text in ABROAD.items()
        for timbre in ("", "+f2", "+m3")
    ]
    false = [_cut_at(guard, pcm) for pcm in own]
    hours = sum(len(voiced(pcm)) for pcm in own) / SAMPLE_RATE / 3600
    numbers: Numbers = {
        "own": mean_stderr([float(cut is not None) for cut in false]),
        "own_speech_s": 3600 * hours,
        "false_cuts_per_hour": sum(cut is not None for cut in false) / hours,
    }
    for name, clips in (("english", english), ("other_languages", abroad)):
        cuts = [_cut_at(guard, pcm) for pcm in clips]
        found = [cut for cut in cuts if cut is not None]
        wrong = len(clips) * numbers["own"]["mean"]  # as many replies of its own as foreign ones
        numbers[name] = {
            "recall": mean_stderr([float(cut is not None) for cut in cuts]),
            "precision": len(found) / max(1e-9, len(found) + wrong),
            "heard_s": summary(found) if found else None,
            "heard_within_half_a_second": mean_stderr([float(cut <= WINDOW_S) for cut in found or [9.0]]),
        }
    window = np.resize(own[0], round(WINDOW_S * SAMPLE_RATE))
    numbers["cost"] = {
        "ms_per_check": summary([cpu_ms(partial(window_embedding, window)) for _ in range(20)])
    }
    return numbers


def _cut_at(guard: VoiceGuard, pcm: Pcm) -> float | None:
    """Seconds of speech that were sent before the guard for the voice `heart` cut them; None: it did not."""
    watch, sent = guard.watch("heart", SAMPLE_RATE), 0
    assert watch is not None
    for start in range(0, len(pcm), CHUNK):
        piece = pcm[start : start + CHUNK]
        if watch.push(piece):
            return sent / SAMPLE_RATE
        sent += len(voiced(piece))
    return None


MEASURES: dict[str, Callable[[BenchOptions], Numbers]] = {
    "watermark": measure_watermark,
    "c2pa": measure_c2pa,
    "voice": measure_voice,
    "consent": measure_consent,
}
