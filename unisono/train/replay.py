"""What a finished network is shown again while it learns something new, so that nothing is forgotten.

Nothing but the network itself is needed: pictures, print, clips and questions of the small world are
drawn anew with their right answers, and its own voice says sentences of them, which it then hears. They
are made once for each start and lie under home/replay.

Shapes: L ids.
"""

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unisono.core.home import atomic_write
from unisono.core.progress import track
from unisono.core.record import weights_of
from unisono.data.own.add import codecs_of
from unisono.data.shards.coder import Coder
from unisono.data.shards.prepare import units, world_conversations
from unisono.data.shards.shard import ShardWriter
from unisono.data.speech.codebank import CodeBank
from unisono.data.splits import split_of
from unisono.data.world.conversations import MAKERS
from unisono.data.world.sayings import ask
from unisono.engine.grammar import Grammar, Rules
from unisono.engine.load import load_network
from unisono.engine.sample import SAMPLING, Sampler
from unisono.engine.session import Session
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Audio, Codes, Message, Part, Text, Thought
from unisono.tokens.phrases import SAY, WRITE_DOWN, voice_line

NUM_SHOWN = {"train": 60, "val": 8}  # conversations of each task of the small world
NUM_SPOKEN = {"train": 12, "val": 2}  # questions, each said, heard and answered aloud
SEED = 7
Document = tuple[NDArray[np.integer], NDArray[np.integer], str]  # (L,) ids, (L,) learned, task


def replay_folder(start: Path, home: Path) -> Path:
    """The folder with the shards train and val of this start; made where it is missing."""
    mark = hashlib.sha256(json.dumps([weights_of(start), NUM_SHOWN, NUM_SPOKEN]).encode()).hexdigest()[:16]
    folder = home / "replay" / mark
    if not (folder / "whole").exists():
        tokenizer = OmniTokenizer.load(start)
        codecs = codecs_of(start, tokenizer)
        for split in ("val", "train"):
            writer = ShardWriter(folder / split, tokenizer.vocab.size)
            for ids, learn, task in (*_shown(tokenizer, split), *_spoken(start, split)):
                writer.add(ids, learn, task)
            end = tokenizer.vocab.span("time").end
            writer.close(split=split, text_end=end, units=units(tokenizer), codecs=codecs)
        atomic_write(folder / "whole", lambda part: part.touch())
    return folder


def _shown(tokenizer: OmniTokenizer, split: str) -> Iterator[Document]:
    """The small world in writing and pictures."""
    coder = Coder(tokenizer, CodeBank([]), split, SEED)
    rng, count = np.random.default_rng(SEED), NUM_SHOWN[split]
    for task in track(list(MAKERS), f"replay, {split}"):
        for messages in world_conversations(task, count, split, coder, SEED):
            yield *tokenizer.encode(messages, rng=rng), task


def _spoken(start: Path, split: str) -> Iterator[Document]:
    """Sentences of the small world in the network's own first voice: said, written down, answered aloud.
    None where it has no voice."""
    tokenizer, engine = load_network(start)
    rng, found = random.Random(f"{SEED} {split}"), dict[str, str]()
    while len(found) < NUM_SPOKEN[split]:
        question, answer, _ = ask(rng)
        if split_of(question) == split:
            found[question] = answer
    for question, answer in track(list(found.items()) if tokenizer.voices else [], f"replay aloud, {split}"):
        voice = Message("system", [Text(voice_line(tokenizer.voices[0]))])
        mask_rng, said = np.random.default_rng(rng.getrandbits(32)), list[list[Part]]()
        with Session(engine) as session:
            for text in (question, answer):
                session.rewind(0)
                prompt = [voice, Message("user", [Text(rng.choice(SAY).format(text))])]
                ids = tokenizer.encode(prompt, begin_reply=True)[0].tolist()
                session.append(ids)
                rules = Rules.spoken(tokenizer.script(text), tokenizer.audio_codec.frame_rate)
                grammar = Grammar(tokenizer.vocab, rules)
                made = list(session.generate(grammar, Sampler(SAMPLING, rng.getrandbits(32))))
                said.append(tokenizer.decode(made))
                reply = Message("assistant", [Thought(text), *said[-1]])
                yield *tokenizer.encode([*prompt, reply], rng=mask_rng), "speak"
                asked: list[Part] = [Audio(_codes(said[-1])), Text(rng.choice(WRITE_DOWN))]
                rng.shuffle(asked)
                heard = [Message("user", asked), Message("assistant", [Text(text)])]
                yield *tokenizer.encode(heard, rng=mask_rng), "hear"
        told = Message("assistant", [Thought(answer), *said[1]])
        aloud = [voice, Message("user", [Audio(_codes(said[0]))]), told]
        yield *tokenizer.encode(aloud, rng=mask_rng), "talk"


def _codes(parts: list[Part]) -> Codes:
    """All sound of a reply."""
    return np.concatenate([np.zeros(0, np.int64), *(part.codes for part in parts if isinstance(part, Audio))])
