"""Hearing: speech that is written down."""

import io
import json

import soundfile
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageUser

from unisono.assess.card.drawing import transcribe
from unisono.assess.card.read import unreadable
from unisono.assess.card.sets import archived
from unisono.assess.card.shapes import spoken_parts, voice_sample
from unisono.assess.card.speech import sound_part, wav_of
from unisono.assess.card.tasks import Context, Measure, Parts, Reply, Verdict, card_task
from unisono.assess.quality.judge import comparable, word_error_rate

ERRORS = {
    "wer": Measure("Word error rate", "lower", "word_error_rate"),
    "exact": Measure("Sentences without an error"),
}
ARCHIVE = "neural_speech"
NUM_SENTENCES = 25  # each in eight voices


@card_task(
    "capability",
    title="Speech recognition: natural-sounding voices",
    version=1,
    needs=("transcripts",),
    measures=ERRORS,
    judge="jiwer",
    source="60 clips that Kokoro-82M spoke (Apache-2.0), texts CC0 or in the public domain",
    limits="Synthesized, without noise, sentences of books and of daily life. English.",
)
def speech_recognition(context: Context) -> Parts:
    """The validation part of the set; none of its clips is in training data."""
    samples = [
        Sample(id=row["file"], input=row["text"], target=row["text"], metadata={"file": row["file"]})
        for row in held_out(context)
    ]

    def heard(sample: Sample) -> Sample:
        coded = archived(context, ARCHIVE, (sample.metadata or {})["file"])
        pcm, rate = soundfile.read(io.BytesIO(coded), dtype="float32")
        message = ChatMessageUser(content=[sound_part(wav_of(pcm.clip(-1, 1), rate))])
        return sample.model_copy(update={"input": [message]})

    return Parts(samples=samples, judge=judge_transcript, solver=transcribe(), finish=heard)


@card_task(
    "capability",
    title="Speech recognition: ten voices of synthesizers",
    version=1,
    needs=("transcripts",),
    measures=ERRORS,
    judge="jiwer",
    source="the texts of the clips above, spoken by espeak-ng and flite",
    limits="Voices and accents of synthesizers, which people do not have.",
)
def speech_recognition_voices(context: Context) -> Parts:
    """25 sentences, each in eight of ten voices."""
    samples = []
    for number, row in enumerate(held_out(context)[:NUM_SENTENCES]):
        for turn in range(8):
            name = f"{number}-{turn}"
            made = voice_sample(name, row["text"], number + turn, cluster=f"sentence-{number}")
            made.target = row["text"]
            samples.append(made)
    return spoken_parts(samples, judge_transcript, context, transcribe())


def held_out(context: Context) -> list[dict[str, str]]:
    """The clips of the validation part."""
    lines = archived(context, ARCHIVE, "index.jsonl").decode("utf8").splitlines()
    return [row for row in map(json.loads, lines) if row["split"] == "val"]


def judge_transcript(reply: Reply, sample: Sample) -> Verdict:
    """Word errors and words; silence loses every word."""
    text = sample.target[0]
    words = len(comparable(text).split())
    if not comparable(reply.text) or reply.rejected:
        nothing = unreadable(reply, "exact")
        return Verdict(
            outcome=nothing.outcome,
            measures={"exact": 0.0, "errors": float(words), "words": float(words)},
            note=nothing.note,
        )
    found = word_error_rate([text], [reply.text])
    errors = float(round(found.rate * found.num_words))
    outcome = "without an error" if not errors else "with errors"
    return Verdict(
        outcome=outcome, measures={"exact": float(not errors), "errors": errors, "words": float(words)}
    )
