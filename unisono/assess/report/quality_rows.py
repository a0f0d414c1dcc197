"""Rows of the table of measures: what `bench quality` and `bench moderation` found.

Each function takes the numbers of one measure -> rows (what, measured, aim).
"""

from unisono.assess.report.formats import Numbers, Row, many, share, wer

READERS = "librispeech_train251"  # the recordings whose words nobody wrote down


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


def calls(n: Numbers) -> list[Row]:
    called = {
        "function": "right function",
        "function_and_arguments": "with right arguments",
        "two_calls": "two calls in a turn",
        "no_call_where_none_fits": "no call where none fits",
        "asks_for_what_is_missing": "asks for a value that is missing",
    }
    written = {"json_valid_and_finished": "valid and finished", "json_right": "right"}
    return [
        ("calls functions that it never saw", many(n, called, share), "90 %"),
        ("JSON after schemas that it never saw", many(n, written, share), "100 %, 90 %"),
    ]


def phrasings(n: Numbers) -> list[Row]:
    tasks = {"see": "scenes", "see_emoji": "emoji", "read": "print", "watch": "clips", "talk": "talk"}
    taught = {f"{task}_as_taught": name for task, name in tasks.items()}
    return [
        ("asked in phrasings that it never saw, right to the word", many(n, tasks, share), "90 %"),
        ("the same questions as they were taught", many(n, taught, share), "95 %"),
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


def moderation(n: Numbers) -> list[Row]:
    if "flagged" not in n:  # of another question, such as which regularizer is best
        return []
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
