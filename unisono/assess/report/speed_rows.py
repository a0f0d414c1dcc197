"""Rows of the table of measures: what the benches of speed and memory found.

Each function takes the numbers of one measure -> rows (what, measured, aim).
"""

from unisono.assess.report.formats import Numbers, Row, share, times


def train_speed(n: Numbers) -> list[Row]:
    def beside(name: str) -> str:
        return (
            f"{times(n['ratio_to_peer'][name])} times the better peer "
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
            f"in {name} {times(n['ratio_to_peer'][f'onnx {name}'])} times "
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
                f"{times(n['barge_in_ms'], 0)} ms (n = {n['barge_in_ms']['n']})",
                "150 ms",
            )
        )
    rows.append(
        ("server's streams", ", ".join(f"{name} {times(value)}" for name, value in n["ratios"].items()), "")
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
            f"{failed} of {sum(n['done'].values()) + failed:,} requests failed{turns}",
            "flat; within 10 %",
        )
    ]
