"""The table of docs/guards.md, from the newest record of each guard."""

from unisono.assess.report.formats import share, times
from unisono.assess.report.records import Numbers, Record

ATTACKS = {
    "none": "as sent",
    "mp3_64": "MP3, 64 kbit/s",
    "opus_24": "Opus, 24 kbit/s",
    "resampled_8000": "resampled to 8 kHz and back",
    "resampled_44100": "resampled to 44.1 kHz and back",
    "noise_20_db": "white noise, 20 dB",
    "cut_3_s": "cut to 3 s",
    "mp3_64_cut_3_s": "MP3 and cut to 3 s",
    "opus_24_cut_3_s": "Opus and cut to 3 s",
    "noise_20_db_cut_3_s": "noise and cut to 3 s",
}
SOURCES = {
    "own": "the network's own speech",
    "librispeech_train251": "LibriSpeech",
    "neural_speech": "another synthesizer",
}
SAID = {"sentence": "the sentence", "contrary": "its contraries", "others": "other sentences"}
Row = tuple[str, str, str, str]  # what, guard on, guard off, cost


def guards_table(found: dict[str, tuple[Numbers, Record]], place: str) -> str:
    """The rows of every guard that was measured, each with its record; `place` leads to the records."""
    lines = ["| guard | on | off | cost | record |", "|---|---|---|---|---|"]
    for name, rows in ROWS.items():
        if name in found:
            numbers, record = found[name]
            link = f"[{record.date[:10]}]({place}/{record.path.name})"
            lines += [f"| {' | '.join(row)} | {link} |" for row in rows(numbers)]
    return "\n".join(lines)


def watermark(n: Numbers) -> list[Row]:
    """Detected shares after each attack; the guard is off for the unmarked."""
    sources = {key: name for key, name in SOURCES.items() if key in n["detected"]["none"]}
    rows = []
    for attack, name in ATTACKS.items():
        on = ", ".join(f"{shown} {share(n['detected'][attack][key])}" for key, shown in sources.items())
        rows.append((f"watermark, {name}: detected", on, share(n["false"][attack]), ""))
    lost, cost = n["pesq_lost"], n["cost"]
    told = (
        f"{times(cost['ms_per_80_ms'])} ms for 80 ms of sound, which leaves {cost['delay_ms']:.0f} ms later"
    )
    check = f"{times(cost['check_10_s_ms'], 0)} ms to check 10 s"
    rows.append(
        ("watermark: PESQ lost", f"{lost['mean']:.3f} ± {lost['stderr']:.3f} (n = {lost['n']})", "0", told)
    )
    other = n["false_other_keys"]
    rows.append(
        ("watermark, other keys on pieces of 3 s: detected", "", f"{share(other)} (n = {other['n']})", check)
    )
    return rows


def c2pa(n: Numbers) -> list[Row]:
    """Drawings whose manifest is valid."""
    rows = []
    for format in ("png", "jpeg", "webp"):
        one = n[format]
        cost = f"{times(one['ms_on'], 1)} ms a file, {times(one['ms_off'], 1)} ms without; "
        cost += f"{one['more_bytes']['median']:.0f} bytes more"
        rows.append(
            (
                f"c2pa, {format}: valid manifest (n = {n['n']})",
                share(one["valid_on"]),
                share(one["valid_off"]),
                cost,
            )
        )
        rows.append((f"c2pa, {format}, one bit changed: valid", share(one["valid_after_change"]), "", ""))
    return rows


def voice(n: Numbers) -> list[Row]:
    """Replies that were cut."""
    cost = f"{times(n['cost']['ms_per_check'], 1)} ms for each .25 s of speech"
    own = f"{share(n['own'])} (n = {n['own']['n']}, {n['own_speech_s']:.0f} s of speech)"
    rows = [("voice, its own speech: cut (false)", own, "0 %", cost)]
    for key, name in (("english", "English"), ("other_languages", "other languages")):
        one = n[key]
        told = f"recall {share(one['recall'])} (n = {one['recall']['n']}), precision {one['precision']:.2f}"
        if one["heard_s"]:
            told += f", {times(one['heard_s'])} s of it heard"
        rows.append((f"voice, foreign voices, {name}: cut", told, "0 %", ""))
    return rows


def consent(n: Numbers) -> list[Row]:
    """What passes the checks of a voice of one's own; without them everything does."""
    rows = [
        ("consent, by the voice of the sample: passes", n["same_voice"]),
        ("consent, by another person: passes", n["other_voice"]),
        ("a recording of one person: passes", n["one_person"]),
        ("a recording of two people: passes", n["two_people"]),
    ]
    for kind, name in SAID.items():
        for heard, who in (("known", "voices that the codec heard"), ("never_heard", "voices never heard")):
            if one := n.get("sentences", {}).get(f"{kind}_{heard}"):
                rows.append((f"{name}, {who}: passes for consent", one["passed"]))
    return [(what, f"{share(value)} (n = {value['n']})", "100 %", "") for what, value in rows]


ROWS = {
    "guard-watermark": watermark,
    "guard-c2pa": c2pa,
    "guard-voice": voice,
    "guard-consent": consent,
}
