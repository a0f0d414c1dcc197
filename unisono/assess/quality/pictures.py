"""What the network sees and draws, and what its image codec keeps.

Shapes: N pictures, S pixels a side.
"""

import random

import numpy as np
import torch
from PIL import Image as Pictures

from unisono.assess.quality.figures import DigitReader, FigureReader
from unisono.assess.quality.held_out import WORLD, Bench
from unisono.assess.quality.marks import Numbers, is_same, shown_first
from unisono.assess.quality.scenes import score_scene
from unisono.core.errors import UserError
from unisono.core.progress import track
from unisono.core.record import mean_stderr
from unisono.data.world.pictures import EMOJI, SIZE, draw_emoji, draw_word, resolution
from unisono.data.world.raw import Clip, Raw
from unisono.data.world.samples import draw_sample
from unisono.media import Footage, Sound
from unisono.omni import Input
from unisono.signals import fit


def image_codec(bench: Bench) -> Numbers:
    """PSNR in dB of fresh drawings; printed digits that a reader of its own reads before and after."""
    codec, rng, numbers = bench.omni.tokenizer.image_codec, random.Random("test pictures"), {}
    for kind in ("scene", "emoji", "word", "motion"):
        with resolution(codec.image_size):
            true = _pixels([draw_sample(kind, rng, np.zeros(0)) for _ in range(bench.samples)])
        error = (codec.decode(codec.encode(true)) - true).square().mean(dim=(1, 2, 3))
        numbers[f"{kind}_psnr_db"] = mean_stderr((-10 * torch.log10(error + 1e-9)).tolist())
    with resolution(codec.image_size):
        reader = DigitReader([(digit, np.asarray(draw_word(digit, rng))) for digit in 20 * "0123456789"])
        digits = [rng.choice("0123456789") for _ in range(bench.samples)]
        true = _pixels([np.asarray(draw_word(digit, rng)) for digit in digits])
    for name, pixels in (("original", true), ("decoded", codec.decode(codec.encode(true)).clip(0, 1))):
        pictures = pixels.permute(0, 2, 3, 1).numpy()
        numbers[f"digits_{name}"] = mean_stderr(
            [float(reader.read(one) == digit) for one, digit in zip(pictures, digits)]
        )
    return numbers


def _pixels(pictures: list[np.ndarray]) -> torch.Tensor:
    """(S, S, 3) uint8 each -> (N, 3, S, S) in [0, 1]."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255


def sees(bench: Bench) -> Numbers:
    """Answers that are right to the word, about test scenes, figures, printed words and clips.

    Scenes are also asked about before they are shown, as clients of the API do, and shown on wide pages.
    """
    numbers = {}
    for task in ("see", "see_emoji", "read", "watch"):
        raws = bench.world(task)
        numbers[task] = mean_stderr(
            [
                _sees(bench, raw, (*shown_first(raw), raw.exchanges[0].question.text))
                for raw in track(raws, task)
            ]
        )
        if task == "see":
            asked = [
                _sees(bench, raw, (raw.exchanges[0].question.text, *shown_first(raw)))
                for raw in track(raws, "see, asked first")
            ]
            wide = [
                _sees(bench, raw, (*_widened(shown_first(raw)), raw.exchanges[0].question.text))
                for raw in track(raws, "see, wide")
            ]
            numbers |= {"see_asked_first": mean_stderr(asked), "see_wide": mean_stderr(wide)}
        if task == "watch":
            heard = [
                _sees(bench, raw, (*_sounding(bench, raw), raw.exchanges[0].question.text))
                for raw in track(raws, "watch, with sound")
            ]
            numbers["watch_with_sound"] = mean_stderr(heard)
    return numbers


def _sounding(bench: Bench, raw: Raw) -> list[Input]:
    """The clip while somebody says something else."""
    spoken = bench.waves(raw.key, lambda item: item.get("role") in WORLD)
    if not spoken:
        raise UserError(
            f"no test sentence of the small world under {bench.home / 'speech'}; run `unisono data "
            f"world` first"
        )
    pcm, _ = spoken[0]
    return [
        Footage(shown.frames, Sound(pcm, 16000))
        for shown in raw.exchanges[0].shown
        if isinstance(shown, Clip)
    ]


def _widened(parts: list[Input]) -> list[Input]:
    """Each picture in the middle of an empty page that is half as wide again."""
    pages: list[Input] = []
    for picture in parts:
        assert isinstance(picture, Pictures.Image)
        page = Pictures.new("RGB", (picture.width * 3 // 2, picture.height), picture.getpixel((0, 0)))
        page.paste(picture, (picture.width // 4, 0))
        pages.append(page)
    return pages


def _sees(bench: Bench, raw: Raw, parts: tuple[Input, ...]) -> float:
    return is_same(bench.ask(*parts).text, raw.exchanges[0].answer.text)


def draws(bench: Bench) -> Numbers:
    """What a scene reader finds in drawings asked for in test sentences; figures go to the nearest of all."""
    found: dict[str, list[float]] = {}
    shares = []
    for raw in track(bench.world("draw"), "draws"):
        reply = bench.ask(raw.exchanges[0].question.text, outputs=("text", "image"))
        picture = (
            np.asarray(fit(reply.pictures[0], SIZE))
            if reply.pictures
            else np.full((SIZE, SIZE, 3), 255, np.uint8)
        )
        rights = score_scene(picture, raw.truth["things"], raw.truth["side"])
        for name, right in rights.items():
            found.setdefault(name, []).append(float(right))
        # the attributes of one picture are right or wrong together
        shares.append(float(np.mean([float(right) for right in rights.values()])))
    numbers: Numbers = {name: mean_stderr(values) for name, values in found.items()}
    numbers["all_attributes"] = mean_stderr(shares)
    figures = FigureReader({name: np.asarray(draw_emoji(name)) for name in EMOJI})
    rightly = []
    for raw in track(bench.world("draw_emoji"), "draws figures"):
        reply = bench.ask(raw.exchanges[0].question.text, outputs=("text", "image"))
        rightly.append(
            float(
                bool(reply.pictures)
                and figures.read(np.asarray(fit(reply.pictures[0], SIZE))) == raw.truth["name"]
            )
        )
    return {**numbers, "figures": mean_stderr(rightly)}
