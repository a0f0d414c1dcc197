"""`unisono bench report`: the table of the README, rendered from the newest records that hold each measure,
and from nothing else.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from unisono.core.errors import UserError
from unisono.core.home import atomic_write, default_weights
from unisono.core.record import weights_of

READERS = "librispeech_train251"  # the recordings whose words nobody wrote down
BEGIN, END = "<!-- records: written by `unisono bench report` -->", "<!-- /records -->"
Numbers = dict[str, Any]
Row = tuple[str, str, str]  # what, measured, aim


def newest(folder: Path) -> dict[str, tuple[Numbers, Numbers]]:
    """Measure -> its numbers and the record that they stand in, with its `path`, newest first. Quality
    records hold several measures each.
    """
    records = sorted(map(_read, folder.glob("*.json")), key=lambda record: record["date"], reverse=True)
    found: dict[str, tuple[Numbers, Numbers]] = {}
    for record in records:
        parts = record["numbers"] if record["what"] == "quality" else {record["what"]: record["numbers"]}
        for name, numbers in parts.items():
            held = numbers, record
            found.setdefault(name, held)
            if name == "reads" and "text_only_bpb" in numbers["stories"]:  # the twin is not always at hand
                found.setdefault("reads_twin", held)
    return found


def _read(path: Path) -> Numbers:
    try:
        record = json.loads(path.read_text(encoding="utf8"))
    except ValueError:
        record = None
    if not (isinstance(record, dict) and {"what", "date", "numbers"} <= set(record)):
        raise UserError(f"{path} is no record of `unisono bench`; mend it or move it away")
    return record | {"path": path}


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


def audio_codec(n: Numbers) -> list[Row]:
    names = {
        "hibari": "hibari, the main reply voice,",
        "hibari_microphone": "the same in noise, in rooms, by telephone",
        "piper": "piper",
        "neural_speech": "Kokoro",
        READERS: "real readers, against what it hears in the original,",
    }
    shown = ", ".join(
        f"{name} {_before(key, n[key])}{wer(n[key]['decoded'])} (n = {n[key]['decoded']['n']})"
        for key, name in names.items()
        if key in n
    )
    rows = [
        (
            "audio codec: word errors of Whisper-tiny, original → decoded",
            shown,
            "+ 5 points; real voices + 15",
        )
    ]
    voices = {
        name.split(",")[0]: n[key]["voice"]
        for key, name in names.items()
        if "voice" in n.get(key, {}) and key != "hibari_microphone"
    }
    if voices:
        rows.append(
            (
                (
                    "audio codec: likeness of the decoded voice to the original's (resemblyzer: 1 is the "
                    "same, strangers about 0.5)"
                ),
                ", ".join(
                    f"{name} {value['mean']:.3f} ± {value['stderr']:.3f} (n = {value['n']})"
                    for name, value in voices.items()
                ),
                "",
            )
        )
    return rows


def _before(source: str, one: Numbers) -> str:
    """Where what is heard in the original is the reference, it has no errors by definition."""
    return "" if source == READERS else f"{wer(one['original'])} → "


def image_codec(n: Numbers) -> list[Row]:
    names = {
        "scene_psnr_db": "scenes",
        "emoji_psnr_db": "emoji",
        "word_psnr_db": "words",
        "motion_psnr_db": "clips",
    }
    rows = [
        (
            "image codec: likeness of fresh drawings",
            many(n, names, lambda value: f"{value['mean']:.1f} ± {value['stderr']:.1f} dB"),
            "25 dB",
        )
    ]
    if "digits_decoded" in n:
        rows.append(
            (
                "digits read, original → decoded",
                (
                    f"{share(n['digits_original'])} → {share(n['digits_decoded'])} (n = "
                    f"{n['digits_decoded']['n']})"
                ),
                "- 2 points",
            )
        )
    return rows


def hears(n: Numbers) -> list[Row]:
    names = {
        "world": "sentences of its world",
        "world_microphone": "the same in noise, in rooms, by telephone",
        "world_new_voices": "in voices never heard",
        "hibari": "open sentences by hibari",
        "flite": "by flite",
        "espeak": "by espeak",
        "piper": "by piper",
        "neural_speech": "by Kokoro",
    }
    words = {"fsdd_accuracy": "English digits", "arabic_commands_accuracy": "Arabic commands"}
    return [
        ("hears: word errors of its own transcripts", many(n, names, wer), "10 %"),
        ("hears: single words of people it never heard", many(n, words, share), "90 %"),
    ]


def speaks(n: Numbers) -> list[Row]:
    n = {"open": n} if "network" in n else n  # as older records have it
    parts = {name: n[key] for key, name in (("world", "its world"), ("open", "open sentences")) if key in n}
    shown = ", ".join(
        (
            f"{name} {wer(one['network'])}{_given(one)} / {wer(one['source_voice'])}{_coded(one)} (n = "
            f"{one['network']['n']})"
        )
        for name, one in parts.items()
    )
    return [
        (
            "speaks: word errors of Whisper-tiny on its speech / on the source voice",
            shown,
            "1.5 times the source",
        )
    ]


def _given(one: Numbers) -> str:
    return f", as /v1/audio/speech says them {wer(one['words_given'])}" if "words_given" in one else ""


def _coded(one: Numbers) -> str:
    return f", through the codec {wer(one['source_decoded'])}" if "source_decoded" in one else ""


def sees(n: Numbers) -> list[Row]:
    names = {
        "see": "scenes",
        "see_asked_first": "scenes asked about before they are shown",
        "see_wide": "scenes on wide pages",
        "see_emoji": "emoji it knows, elsewhere on the page",
        "read": "printed words",
        "watch": "clips",
        "watch_with_sound": "clips in which somebody speaks",
    }
    return [("sees: whole answers right to the word", many(n, names, share), "90 %")]


def draws(n: Numbers) -> list[Row]:
    names = {
        "all_attributes": "attributes",
        "shape": "shape",
        "colour": "colour",
        "count": "count",
        "figures": "emoji it knows, asked for in other words",
    }
    shown = ", ".join(
        f"{name} {share(n[key])} (n = {n[key]['n']})" for key, name in names.items() if key in n
    )
    return [("draws: found in its pictures by a reader of scenes", shown, "90 %")]


def talks(n: Numbers) -> list[Row]:
    return [
        (
            "talks: asked aloud about a picture, whole answers right to the word",
            many(n, {"aloud": "as Whisper-tiny hears them", "written": "as written"}, share),
            "80 %",
        )
    ]


def talks_in_writing(n: Numbers) -> list[Row]:
    names = {
        "talk": "asked first",
        "talk_after_4": "after 4 others",
        "talk_after_40": "after 40 others",
        "talk_instructed": "with instructions",
        "talk_instructed_at_length": "with a page of them",
        "talk_typed_loosely": "in small letters without a mark",
    }
    return [("answers typed questions, right to the word", many(n, names, share), "")]


def knows_its_limits(n: Numbers) -> list[Row]:
    return [
        (
            "says that it does not know",
            f"asked in new words what it cannot know {share(n['beyond'])} (n = {n['beyond']['n']}), "
            f"asked what it can {share(n['within'])} (n = {n['within']['n']})",
            "",
        )
    ]


def reads(n: Numbers) -> list[Row]:
    def beside(found: Numbers) -> str:
        return (
            f"{found['bpb']:.2f} ± {found['stderr']:.2f} (xz {found['xz_bpb']:.2f}, gzip "
            f"{found['gzip_bpb']:.2f}; n = {found['n']})"
        )

    def one(name: str) -> str:
        found = n[name]
        if found.get("lines_taught_too", 0) < 0.01:
            return f"{name} {beside(found)}"
        alone = f", those that do not alone {beside(found['new_lines'])}" if "new_lines" in found else ""
        return (
            f"{name} {beside(found)}; {found['lines_taught_too']:.0%} of their lines stand in the "
            f"training "
            f"too{alone}"
        )

    return [("reads: bits per byte", ", ".join(map(one, ("stories", "dialogues"))), "below xz and gzip")]


def reads_twin(n: Numbers) -> list[Row]:
    return [
        (
            "a network of equal size that was trained on texts alone reads: bits per byte",
            ", ".join(f"{name} {n[name]['text_only_bpb']:.2f}" for name in ("stories", "dialogues")),
            "",
        )
    ]


def _times(value: Numbers, digits: int = 2) -> str:
    return f"{value['median']:.{digits}f} ± {value['stderr']:.{digits}f}"


def train_speed(n: Numbers) -> list[Row]:
    def beside(name: str) -> str:
        return (
            f"{_times(n['ratio_to_peer'][name])} times the better peer "
            f"({n['tokens_per_s'][name]['median']:,.0f} ids/s)"
        )

    return [
        (
            "training beside transformers, same model and batch",
            f"both with AdamW {beside('unisono')}, with Muon, as it is trained, "
            f"{beside('unisono muon')} (n = {n['ratio_to_peer']['unisono']['n']})",
            "1.3 times",
        )
    ]


def generate_speed(n: Numbers) -> list[Row]:
    shown = ", ".join(
        (
            f"in {name} {_times(n['ratio_to_peer'][f'onnx {name}'])} times "
            f"({n['ids_per_s'][f'onnx {name}']['median']:,.0f} ids/s)"
        )
        for name in ("float32", "int8")
    )
    return [
        (
            "one stream beside transformers.generate in float32, same weights",
            f"{shown} (n = {n['ratio_to_peer']['onnx int8']['n']})",
            "3 times",
        )
    ]


def codec_speed(n: Numbers) -> list[Row]:
    return [
        (
            "audio codec, computing per second of sound, one core",
            f"{n['rtf']['whole']['median']:.3f} (streamed: {n['rtf']['streaming']['median']:.3f}; "
            f"streaming differs by {n['max_pcm_error']:.0e}; n = {n['rtf']['whole']['n']})",
            "0.05; exact to 1e-5",
        )
    ]


def chat_speed(n: Numbers) -> list[Row]:
    shown = (
        f"{n['load_s']['median']:.1f} s, {n['typed_first_word_s']['median']:.2f} s, "
        f"{n['resident_mb']['median']:,.0f} MB (n = {n['load_s']['n']})"
    )
    return [("chat: loading, first word, memory", shown, "3 s, 0.3 s, 1,500 MB")]


def voice_turns(n: Numbers) -> list[Row]:
    def turns(one: Numbers) -> str:
        right = f", {share(one['right'])} answered right" if "right" in one else ""
        return (
            f"median {one['p50_ms']:.0f}, mean {one['mean_ms']:.0f} ± {one['stderr_ms']:.0f}, 95 % "
            f"within "
            f"{one['p95_ms']:.0f} ms (n = {one['n']}, cut in on {one['cut_in_share']:.0%}{right})"
        )

    rows = [
        (
            "a spoken turn, speech ends → sound begins, semantic_vad",
            turns(n["semantic_vad"]),
            "200, 232, 400 ms; 2 %",
        ),
        ("four people at once", turns(n["four_people"]), "600 ms"),
    ]
    if "ordinary_microphone" in n:
        rows.insert(
            1,
            (
                "the same through an ordinary microphone: low, with hiss 25 dB below the voice",
                turns(n["ordinary_microphone"]),
                "",
            ),
        )
    rows += [
        (
            f"server_vad with {n['server_vad']['silence_duration_ms']} ms of silence",
            turns(n["server_vad"]),
            "+ 90 ms",
        )
    ]
    if n.get("barge_in_ms"):
        rows.append(
            (
                "interrupted: the client is told, and no more sound comes, within",
                f"{_times(n['barge_in_ms'], 0)} ms (n = {n['barge_in_ms']['n']})",
                "150 ms",
            )
        )
    rows.append(
        ("server's streams", ", ".join(f"{name} {_times(value)}" for name, value in n["ratios"].items()), "")
    )
    again = f"; after that {n['start_again_s']['median']:.1f} s" if "start_again_s" in n else ""
    rows.append(
        (
            "server: start to first answer, memory",
            f"the first time {n['start_to_first_answer_s']:.1f} s{again}, {n['resident_mb']:,.0f} MB",
            "4 s, 1,200 MB",
        )
    )
    return rows


def page_speed(n: Numbers) -> list[Row]:
    return [
        (
            "the page in Chromium: first paint, all of it",
            f"{n['first_contentful_paint_ms']['median']:.0f} ± "
            f"{n['first_contentful_paint_ms']['stderr']:.0f} ms, "
            f"{n['bytes']['median'] / 1000:.0f} kB",
            "300 ms, 150 kB",
        )
    ]


def soak(n: Numbers) -> list[Row]:
    def change(name: str) -> str:
        return f"{n[name]['early']['median']:,.0f} → {n[name]['late']['median']:,.0f}"

    failed = sum(n["failures"].values())
    first, last = n["turn_ms"]["first"], n["turn_ms"]["last"]
    turns = (
        f"; a turn of one long conversation {first['median']:.0f} → {last['median']:.0f} ms"
        if first and last
        else ""
    )
    return [
        (
            f"{n['minutes']:.0f} minutes of mixed load, early → late",
            f"{change('resident_mb')} MB, {change('handles')} file handles, "
            f"{failed} of {sum(n['done'].values()) + failed:,} wishes failed{turns}",
            "flat; within 10 %",
        )
    ]


def moderation(n: Numbers) -> list[Row]:
    names = {
        "xstest unsafe": "harmful requests of XSTest",
        "xstest safe": "its harmless ones",
        "harmbench standard": "HarmBench's standard requests",
        "harmbench contextual": "its contextual ones",
    }
    shown = ", ".join(
        f"{name} {share(n['flagged'][key])} (n = {n['flagged'][key]['n']})" for key, name in names.items()
    )
    return [("moderation: flagged. Not fit to guard anything", shown, "harmful 100 %, harmless 0 %")]


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
WEIGHTS = {
    "audio_codec": "audio_codec/",
    "image_codec": "image_codec/",
    "bench-codec": "audio_codec/",  # that a measure depends on; others: on all
    "bench-train": "none",
    "bench-page": "none",
}


def render(folder: Path) -> str:
    """The table, each row with its record."""
    found, ships = newest(folder), weights_of(default_weights())
    lines = ["| what | measured | aim | record |", "|---|---|---|---|"]
    for name, rows in ROWS.items():
        if name in found:
            numbers, record = found[name]
            place = f"{folder.name}/{record['path'].name}"
            link = f"[{record['what']}, {record['date'][:10]}]({place}){_of_others(name, record, ships)}"
            lines += [f"| {what} | {measured} | {aim} | {link} |" for what, measured, aim in rows(numbers)]
    return "\n".join(lines)


def _of_others(measure: str, record: Numbers, ships: dict[str, str]) -> str:
    """A word where a record was not measured with the weights that ship, or does not tell."""
    measured = (record.get("config") or {}).get("weights")
    counts = [name for name in ships if name.startswith(WEIGHTS.get(measure, ""))]
    if counts and not measured:
        return ", weights not recorded"
    return ", other weights" if any(measured.get(name) != ships[name] for name in counts) else ""


def run(arguments: argparse.Namespace) -> int:
    """Entry of `unisono bench report`: prints the table, and puts it into README.md where its marks stand."""
    if not arguments.records.is_dir():
        raise UserError(f"no records in {arguments.records}; `unisono bench quality` and its like write them")
    table, readme = render(arguments.records), Path("README.md")
    if table.count("\n") < 2:
        raise UserError(
            f"none of the records in {arguments.records} holds a measure; `unisono bench quality` and "
            f"its like write them"
        )
    print(table)
    text = readme.read_text(encoding="utf8") if readme.exists() else ""
    if BEGIN in text and END in text:
        before, after = text.split(BEGIN)[0], text.split(END)[1]
        atomic_write(
            readme, lambda part: part.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf8")
        )
    return 0
