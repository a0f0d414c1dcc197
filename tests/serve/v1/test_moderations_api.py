"""/v1/moderations with OpenAI's own client; the classifier, its phrasings and its measuring."""

import base64
import io
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import openai
import pytest
import zstandard
from conftest import Connect, Running, drawing
from openai import OpenAI

from unisono.assess.options import BenchOptions
from unisono.assess.quality import moderation as quality
from unisono.core.errors import UserError
from unisono.core.home import shipped
from unisono.moderation.moderator import FILE, WINDOW, Moderator, fingerprint, windows
from unisono.moderation.phrases import CATEGORIES, IMPLIED, phrases
from unisono.serve.v1.moderations import OF_PICTURES
from unisono.train import moderation

weights = [path.parent for path in shipped().glob("*/model.safetensors")]


@pytest.fixture(scope="module")
def trained(tiny_network: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tiny network with a classifier for it."""
    folder = tmp_path_factory.mktemp("moderated") / "tiny"
    shutil.copytree(tiny_network, folder)
    moderator, numbers = moderation.train(folder)
    moderator.save(folder)
    assert numbers["area_any"] > 0.5 and set(numbers["area"]) == set(CATEGORIES)  # words alone tell something
    assert numbers["flagged_harmless"]["mean"] == pytest.approx(moderation.ALARMS, abs=0.01)
    return folder


@pytest.fixture(scope="module")
def server(trained: Path) -> Iterator[Running]:
    running = Running(trained)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[OpenAI]:
    with OpenAI(base_url=server.url, api_key="x", max_retries=0, _strict_response_validation=True) as made:
        yield made


def url_of_a_picture() -> str:
    file = io.BytesIO()
    drawing().save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def test_one_text(client: OpenAI) -> None:
    answer = client.moderations.create(input="I will hurt you.")
    (result,) = answer.results
    names = set(result.category_scores.model_dump(by_alias=True))
    assert names == set(CATEGORIES) == set(
        result.categories.model_dump(by_alias=True)
    ) and answer.id.startswith("modr-")
    assert all(applied == ["text"] for applied in result.category_applied_input_types.model_dump().values())
    assert result.flagged == any(result.categories.model_dump().values())


def test_it_says_that_it_is_not_fit_to_guard(server: Running) -> None:
    answer = httpx.post(f"{server.url}/moderations", json={"input": "Hello!"}).json()
    assert answer["fit_to_guard"] is False and "do not guard anything" in answer["note"]
    [first, *_] = httpx.get(f"{server.url}/models").json()["data"]
    assert first["guards"]["moderation"] is False and "No guard" in first["note"]
    assert {"watermark", "c2pa", "voice"} < set(first["guards"])


def test_texts_have_a_result_each_and_it_is_their_own(client: OpenAI) -> None:
    texts = ["I will hurt you.", "The sky is blue.", "How do I steal a car?", "word " * 600]
    together = client.moderations.create(input=texts, model="omni-moderation-latest").results
    alone = [client.moderations.create(input=text).results[0] for text in texts]
    for one, other in zip(together, alone, strict=True):
        assert np.allclose(
            list(one.category_scores.model_dump().values()),
            list(other.category_scores.model_dump().values()),
            atol=1e-4,
        )


def test_of_a_long_text_the_worst_part_counts(
    server: Running, client: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.moderations.create(input="x")  # loads it
    monkeypatch.setattr(
        server.service.moderator,
        "scores",
        lambda means: np.linspace(0.9, 0.1, len(means), dtype=np.float32)[:, None].repeat(13, 1),
    )
    (result,) = client.moderations.create(input="word " * 600).results
    assert result.category_scores.hate == pytest.approx(0.9)


def test_parts_have_one_result(client: OpenAI) -> None:
    picture = {"type": "image_url", "image_url": {"url": url_of_a_picture()}}
    both = client.moderations.create(input=[{"type": "text", "text": "I will hurt you."}, picture])
    applied = both.results[0].category_applied_input_types.model_dump(by_alias=True)
    assert len(both.results) == 1 and all(
        kinds == (["text", "image"] if name in OF_PICTURES else ["text"]) for name, kinds in applied.items()
    )
    alone = client.moderations.create(input=[picture]).results[0]
    assert (
        alone.category_applied_input_types.hate == []
        and alone.category_scores.hate == 0
        and not alone.categories.hate
    )


@pytest.mark.parametrize(
    "given",
    [
        "",
        [],
        [""],
        5,
        None,
        {"x": 1},
        ["x", 5],
        [{"type": "text"}],
        [{"type": "text", "text": ""}],
        [{"type": "x"}],
        [{"type": "image_url", "image_url": {"url": "http://127.0.0.1/a.png"}}],
        [{"type": "image_url", "image_url": {"url": "data:,no"}}],
        [{"type": "image_url"}],
        ["x"] * 600,
    ],
)
def test_wrong_requests(server: Running, given: object) -> None:
    answer = httpx.post(server.url + "/moderations", json={"input": given})
    assert answer.status_code == 400 and answer.json()["error"]["param"].startswith("input")


def test_a_network_without_a_classifier_says_so(tiny_server: Running, connect: Connect) -> None:
    client = connect(tiny_server)
    with pytest.raises(openai.InternalServerError, match="unisono train moderation") as caught:
        client.moderations.create(input="x")
    assert caught.value.status_code == 501 and caught.value.response.headers["x-should-retry"] == "false"


def test_a_classifier_of_other_weights_is_refused(trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    shutil.copytree(trained, folder)
    Moderator.load(folder)
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="other weights"):
        Moderator.load(folder)
    (folder / FILE).write_bytes(b"junk")
    with pytest.raises(UserError, match="damaged"):
        Moderator.load(folder)


def test_phrasings_are_many_mild_and_of_every_category() -> None:
    found = phrases()
    assert len(found) > 3000 and found == phrases() and all(len(phrase.text) < 120 for phrase in found)
    for name in CATEGORIES:
        assert sum(name in phrase.categories for phrase in found) >= 18
    assert all(
        set(IMPLIED.get(name, ())) <= phrase.categories for phrase in found for name in phrase.categories
    )
    assert 0.4 < sum(not phrase.categories for phrase in found) / len(found) < 0.6
    assert not any("{" in phrase.text for phrase in found)


def test_what_is_held_out_was_not_seen() -> None:
    found = phrases()
    fold = moderation.folds(found, 1)
    sources = [
        {phrase.source for phrase, place in zip(found, fold) if place == number}
        for number in range(moderation.FOLDS)
    ]
    assert all(not a & b for number, a in enumerate(sources) for b in sources[:number])


def test_areas_and_windows() -> None:
    assert moderation.area(np.array([0.1, 0.2, 0.3, 0.4]), np.array([False, False, True, True])) == 1
    assert moderation.area(np.array([0.5, 0.5]), np.array([False, True])) == 0.5
    assert [len(piece) for piece in windows(range(2 * WINDOW + 3))] == [WINDOW, WINDOW, 3]


def test_fit_finds_what_can_be_told_apart() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(400, 8)).astype(np.float32)
    wanted = np.stack([inputs[:, 0] > 0, inputs[:, 1] > 1], 1).astype(np.float32)
    scores = Moderator(*moderation.fit(inputs, wanted, 1e-5), "").scores(inputs)
    assert ((scores > 0.5) == wanted).mean() > 0.97


def test_measuring_leaves_out_what_was_taught(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "eval_public").mkdir()
    rows = {
        "xstest": [
            {"prompt": text, "label": label}
            for label in ("safe", "unsafe")
            for text in ("What now?", f"Is it {label}?")
        ],
        "harmbench_text": [
            {"behavior": phrases()[0].text, "functional": "standard"},
            {"behavior": "Do harm", "functional": "standard"},
        ],
    }
    for name, lines in rows.items():
        (tmp_path / "eval_public" / f"{name}.jsonl.zst").write_bytes(
            zstandard.compress("\n".join(map(json.dumps, lines)).encode())
        )
    numbers = quality.measure(trained, tmp_path)
    assert (
        numbers["left_out"] == 1
        and numbers["flagged"]["harmbench standard"]["n"] == 1
        and numbers["flagged"]["xstest safe"]["n"] == 2
    )
    with pytest.raises(UserError, match="--shared"):
        quality.run(BenchOptions(what="moderation", model=str(trained)))


@pytest.mark.skipif(not weights, reason="no weights in the package")
@pytest.mark.parametrize("folder", weights, ids=lambda folder: folder.name)
def test_the_shipped_classifier_belongs_to_the_shipped_network(folder: Path) -> None:
    """Fails where the network was trained on and `unisono train moderation --model DIR` was not run after
    it.
    """
    assert Moderator.load(folder).network == fingerprint(folder)


@pytest.mark.skipif(not weights, reason="no weights in the package")
def test_the_shipped_network_tells_some_things_apart(shipped_server: Running, connect: Connect) -> None:
    """On what it was taught; what it does on texts by others is measured by `unisono bench moderation`."""
    client = connect(shipped_server)
    taught = random.Random(1).sample(phrases(), 300)
    results = client.moderations.create(input=[phrase.text for phrase in taught]).results
    flagged = {
        harm: [
            one.flagged
            for one, phrase in zip(results, taught, strict=True)
            if bool(phrase.categories) == harm
        ]
        for harm in (True, False)
    }
    assert min(map(len, flagged.values())) > 100
    assert np.mean(flagged[True]) > np.mean(flagged[False]) + 0.25
