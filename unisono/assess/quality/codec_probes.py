"""`unisono bench codec --probes`: what a codec's ids tell beside the words.

A small classifier learns from ids alone whether a voice rises or falls, who speaks, whether a man or a woman,
which word, and which sound that is no speech; nano's ids stand beside them. No source of moods is at hand.

Shapes: B clips, F code frames, D quantizer dimensions, N samples at 16 kHz.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unisono.assess.options import BenchOptions
from unisono.assess.quality.codec_reader import codec_of, digits_of
from unisono.assess.speed.timing import Measured
from unisono.codecs.causal import CausalStack
from unisono.codecs.load import AnyAudioCodec, load_audio_codec
from unisono.codecs.packed import pack
from unisono.core.errors import UserError
from unisono.core.home import default_weights
from unisono.core.progress import track
from unisono.core.record import mean_stderr
from unisono.data.speech.waves import Waves, sound_folders

MAX_CLIP_S = 5.0
GLIDE = 0.12  # share by which pitch rises or falls over a clip
WOMEN, MEN = ("af_", "bf_", "jf_"), ("am_", "bm_", "jm_")
Labelled = tuple[np.ndarray, str]
Example = tuple[Tensor, int]  # digits (F, D), number of the label


@dataclass(frozen=True)
class ProbeEffort:
    """How long each classifier learns, and from how much."""

    num_steps: int = 300
    batch_size: int = 24
    num_train: int = 300
    num_test: int = 120
    channels: int = 96
    learning_rate: float = 2e-3
    seed: int = 1


class Probe(nn.Module):
    """Digits of ids -> scores of the labels, from the means and the spreads of all frames."""

    def __init__(self, levels: tuple[int, ...], num_labels: int, channels: int) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, channels) for size in levels)
        self.stack = CausalStack(channels, channels, (1, 2))
        self.out = nn.Linear(2 * channels, num_labels)

    def forward(self, digits: Tensor, mask: Tensor) -> Tensor:
        """(B, F, D), (B, F) of the frames that are there -> (B, labels)."""
        embedded = sum(table(digits[:, :, d]) for d, table in enumerate(self.tables))
        hidden, _ = self.stack(embedded)
        weights = mask[:, :, None] / mask.sum(dim=1)[:, None, None]
        mean = (hidden * weights).sum(dim=1)
        spread = (((hidden - mean[:, None]).square() * weights).sum(dim=1) + 1e-4).sqrt()
        scores: Tensor = self.out(torch.cat([mean, spread], dim=1))
        return scores


def glided(pcm: np.ndarray, share: float) -> np.ndarray:
    """(N,) -> (M,) the same words, whose pitch (and pace) changes by `share` from beginning to end."""
    steps = 1 + share * np.linspace(-0.5, 0.5, len(pcm))
    places = np.cumsum(steps)
    return np.interp(places[places < len(pcm) - 1], np.arange(len(pcm)), pcm).astype(np.float32)


def sex_of(item: dict) -> str | None:
    """Of a Kokoro style or of a mixture of styles of one sex."""
    voices = item["voice"].split("+")
    for name, beginnings in (("woman", WOMEN), ("man", MEN)):
        if all(voice.startswith(beginnings) for voice in voices):
            return name
    return None


def is_of(*sources: str) -> Callable[[dict], bool]:
    """Whether an item is of these sources."""
    return lambda item: item["source"] in sources


class Questions:
    """The clips of each probe: to learn from, and to be examined on."""

    def __init__(self, waves: Waves, effort: ProbeEffort) -> None:
        self.waves, self.effort = waves, effort

    def _drawn(self, belongs: Callable[[dict], bool], count: int) -> list[int]:
        numbers = [n for n, item in enumerate(self.waves.items) if belongs(item)]
        return list(np.random.default_rng(0).permutation(numbers)[:count])

    def _pcm(self, number: int) -> np.ndarray:
        return self.waves.pcm(number, 0, int(MAX_CLIP_S * 16000))

    def by_split(
        self, belongs: Callable[[dict], bool], label: Callable[[dict], str | None]
    ) -> tuple[list[Labelled], list[Labelled]]:
        """Clips of the training split, and of the others: other sentences, speakers or recordings."""
        parts = []
        for is_train, count in ((True, self.effort.num_train), (False, self.effort.num_test)):
            chosen = self._drawn(
                lambda item, is_train=is_train: (  # type: ignore[misc]
                    belongs(item) and (item["split"] == "train") == is_train and label(item) is not None
                ),
                count,
            )
            parts.append([(self._pcm(n), str(label(self.waves.items[n]))) for n in chosen])
        return parts[0], parts[1]

    def pitch(self) -> tuple[list[Labelled], list[Labelled]]:
        """Sentences of synthesized voices whose pitch glides up or down."""
        train, test = self.by_split(is_of("hibari", "piper", "kokoro", "flite"), lambda item: "")
        rng = np.random.default_rng(0)

        def moved(clips: list[Labelled]) -> list[Labelled]:
            ups = rng.random(len(clips)) < 0.5
            return [
                (glided(pcm, GLIDE if up else -GLIDE), "up" if up else "down")
                for (pcm, _), up in zip(clips, ups)
            ]

        return moved(train), moved(test)

    def speaker(self) -> tuple[list[Labelled], list[Labelled]]:
        """Which of the people who say digits in the training split: every fourth clip examines."""
        count = self.effort.num_train + self.effort.num_test
        chosen = self._drawn(lambda item: item["source"] == "fsdd" and item["split"] == "train", count)
        clips = [(self._pcm(n), self.waves.items[n]["voice"].split("*")[0]) for n in chosen]
        return [clip for n, clip in enumerate(clips) if n % 4], clips[::4]

    def all(self) -> dict[str, tuple[list[Labelled], list[Labelled]]]:
        """By name; those without clips are left out."""
        found = {
            "pitch up or down": self.pitch(),
            "man or woman": self.by_split(is_of("kokoro", "neural_speech"), sex_of),
            "who says a digit": self.speaker(),
            "word of people never heard": self.by_split(is_of("arabic_commands"), lambda item: item["text"]),
            "sound that is no speech": self.by_split(is_of("esc10"), lambda item: item["label"]),
        }
        return {name: parts for name, parts in found.items() if all(parts)}


def examples(codec: AnyAudioCodec, clips: list[Labelled], labels: list[str]) -> list[Example]:
    """The clips as the codec says them; clips with a label that was never taught are left out."""
    return [
        (digits_of(codec.quantizer, codec.encode(torch.from_numpy(pcm)[None])[0]), labels.index(label))
        for pcm, label in clips
        if label in labels
    ]


def together(batch: list[Example]) -> tuple[Tensor, Tensor, Tensor]:
    """-> digits (B, F, D), mask (B, F), labels (B,)."""
    lengths = torch.tensor([len(digits) for digits, _ in batch])
    digits = nn.utils.rnn.pad_sequence([digits for digits, _ in batch], batch_first=True)
    mask = torch.arange(digits.shape[1]) < lengths[:, None]
    return digits, mask.float(), torch.tensor([label for _, label in batch])


def probed(
    levels: tuple[int, ...], train: list[Example], test: list[Example], effort: ProbeEffort
) -> list[float]:
    """A classifier learns from `train` -> for each of `test` 1.0 where it is right."""
    torch.manual_seed(effort.seed)
    rng = np.random.default_rng(effort.seed)
    probe = Probe(levels, 1 + max(label for _, label in train), effort.channels)
    optimizer = torch.optim.AdamW(probe.parameters(), effort.learning_rate, weight_decay=0.05)
    for _ in range(effort.num_steps):
        digits, mask, labels = together([train[n] for n in rng.integers(len(train), size=effort.batch_size)])
        loss = functional.cross_entropy(probe(digits, mask), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    probe.eval()
    with torch.inference_mode():
        return [float(int(probe(*together([one])[:2]).argmax()) == one[1]) for one in test]


def probes(codecs: dict[str, AnyAudioCodec], folders: list[Path], effort: ProbeEffort) -> dict[str, dict]:
    """Shares of right answers by probe and codec; "guessed" is the share of the commonest label."""
    found: dict[str, dict] = {}
    questions = Questions(Waves(folders, None), effort).all()
    for name, (train, test) in track(list(questions.items()), "probes"):
        labels = sorted({label for _, label in train})
        test = [clip for clip in test if clip[1] in labels]
        if not test or len(labels) < 2:
            continue
        counts = [sum(label == one for _, label in test) for one in labels]
        found[name] = {"labels": len(labels), "guessed": max(counts) / len(test)}
        for codec_name, codec in codecs.items():
            right = probed(
                codec.config.levels,
                examples(codec, train, labels),
                examples(codec, test, labels),
                effort,
            )
            found[name][codec_name] = mean_stderr(right)
    return found


def bench_probes(options: BenchOptions, effort: ProbeEffort = ProbeEffort()) -> Measured:
    """Entry of `unisono bench codec --probes`: the sound under --home, the codec of --codec or --model,
    nano's beside it. UserError where there is no sound."""
    codecs = {"codec": codec_of(options), "nano": load_audio_codec(default_weights() / "audio_codec")}
    for codec in codecs.values():
        pack(codec)
    found = probes(codecs, sound_folders(options.home), effort)
    if not found:
        raise UserError("no sound for the probes under --home; build it with `unisono data speech`")
    measured = Measured({"probes": found, "effort": asdict(effort)}, {"codec": options.codec or ""})
    for name, rows in found.items():
        for codec_name in codecs:
            value = rows[codec_name]
            measured.row(
                f"{name}, {codec_name}",
                {"median": 100 * value["mean"], "stderr": 100 * value["stderr"], "n": value["n"]},
                "% right",
                f"{value['n']} clips, {rows['labels']} answers, guessed {100 * rows['guessed']:.0f} %",
            )
    return measured
