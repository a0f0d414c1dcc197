"""A network that began as another LLM is whole before its first step, and its text is the base's."""

import json
import shutil
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from conftest import Running

transformers = pytest.importorskip("transformers")
from tiny_bases import KINDS, omni_of, tiny_base  # noqa: E402

from unisono.assess.quality.own import sample_of  # noqa: E402
from unisono.base.base import Base  # noqa: E402
from unisono.base.gguf_folder import unpacked  # noqa: E402
from unisono.cli import main  # noqa: E402
from unisono.core.errors import UserError  # noqa: E402
from unisono.engine.grammar import Grammar, Rules  # noqa: E402
from unisono.engine.load import load_engine  # noqa: E402
from unisono.export import export_gguf, export_hf  # noqa: E402
from unisono.model.grow import DISTANCE, new_rows  # noqa: E402
from unisono.model.hf import load_pretrained  # noqa: E402
from unisono.omni import Omni  # noqa: E402
from unisono.tokenizer import OmniTokenizer  # noqa: E402
from unisono.tokens.message import Audio, Image, Message, Text  # noqa: E402
from unisono.tokens.vocab import Vocabulary  # noqa: E402
from unisono.train.start import begun  # noqa: E402

ASKED = [Message("user", [Text("What colour is the sky?")])]


@pytest.fixture(scope="module", params=KINDS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Base, Path]:
    """(base, folder of the network that began there)."""
    root = tmp_path_factory.mktemp(request.param)
    base = Base.load(str(tiny_base(root / "base", request.param)), root)
    omni_of(base, root / "omni")
    return base, root / "omni"


def their_logits(folder: Path, ids: list[int]) -> torch.Tensor:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0, -1]


def test_both_engines_compute_the_base_where_text_is_said(made: tuple[Base, Path]) -> None:
    base, folder = made
    ids = OmniTokenizer.load(folder).encode(ASKED, begin_reply=True)[0].tolist()
    wanted = their_logits(base.folder, ids)[: base.text.size]
    for kind in ("torch", "onnx"):
        engine = load_engine(folder, kind=kind, precision="float32")
        found = torch.from_numpy(engine.feed([(engine.open(), ids)])[0])
        assert (found[: base.text.size] - wanted).abs().max() < (1e-5 if kind == "torch" else 1e-4)


def test_a_conversation_goes_on_as_the_base_writes_it(made: tuple[Base, Path]) -> None:
    base, folder = made
    omni = Omni(folder)
    with omni.conversation(instructions="Be brief.", seed=3) as talk:
        talk.reply("Hello.")
        asked = talk.session.ids[:]
        talk.reply("Why?")
        template = omni.tokenizer.template
        first = template.encode(
            [Message("system", [Text("Be brief.")]), Message("user", [Text("Hello.")])], begin_reply=True
        )[0]
        assert asked[: len(first)] == first.tolist() and asked[-1] == omni.tokenizer.vocab.id("<|end|>")
        after = template.encode(
            [Message("user", [Text("Why?")])], begin_reply=True, before="assistant", is_whole=False
        )[0]
        assert talk.session.ids[len(asked) :][: len(after)] == after.tolist()
        assert after.tolist() == template.joined(
            [("user", base.text.encode("Why?"))], before="assistant"
        ) + template.begin("user")


def test_no_reply_holds_a_special_id_of_the_base(made: tuple[Base, Path]) -> None:
    base, folder = made
    vocab = Vocabulary.load(folder / "vocabulary.json")
    mask = Grammar(vocab, Rules(outputs=frozenset({"text", "audio"}))).mask()
    assert mask[vocab.id("<|end|>")] and vocab.id("<|end|>") in base.text.specials.values()
    assert sum(mask[id] for id in base.text.specials.values()) == 1
    assert all(
        vocab.modality(id) == "special" and base.text.piece(id) == b"" for id in base.text.specials.values()
    )


def test_spoken_words_are_spelled_and_media_stand_where_they_stand(made: tuple[Base, Path]) -> None:
    _, folder = made
    tokenizer = OmniTokenizer.load(folder)
    text = tokenizer.text
    asked = Message("user", [Image(np.zeros(16, np.int64)), Text("What?")])
    said = [Text("It"), Audio(np.arange(3)), Text(" is"), Audio(np.arange(2))]
    ids, mask = tokenizer.encode([asked, Message("assistant", said)])
    learned = ids[mask == 1].tolist()
    assert [text.decode([id]) for id in learned if tokenizer.vocab.modality(id) == "text"] == list("It is")
    parts = tokenizer.decode(learned)
    assert [type(part) for part in parts] == [Text, Audio, Text, Audio] and parts[1].codes.tolist() == [
        0,
        1,
        2,
    ]
    spelled = tuple(tuple(text.spell(word)) for word in ("It", " is."))
    assert tokenizer.words_of(text.encode("a|It is.")) == spelled


def test_the_last_reply_of_a_held_out_document_is_found(made: tuple[Base, Path]) -> None:
    omni = Omni(made[1])
    talk = [*ASKED, Message("assistant", [Text("Blue.")]), Message("user", [Text("Sure?")])]
    ids, learn = omni.tokenizer.encode([*talk, Message("assistant", [Text("It is blue.")])])
    sample = sample_of(omni, ids, learn)
    assert omni.tokenizer.decode(ids[sample.start : sample.stop].tolist()) == [Text("It is blue.")]
    assert not learn[sample.start - 1] and learn[sample.start]
    assert not sample_of(omni, *omni.tokenizer.template.document("It is 42.")).start


def test_the_commands_take_it(made: tuple[Base, Path], capsys: pytest.CaptureFixture[str]) -> None:
    _, folder = made
    assert main(["show", "What colour?", "--reply", "It is blue.", "--model", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "What colour?" in shown and "It is blue." in shown and "ids:" in shown
    assert main(["chat", "Hello.", "--model", str(folder), "--seed", "1", "--quiet"]) == 0


def test_the_server_takes_it(made: tuple[Base, Path]) -> None:
    _, folder = made
    running = Running(folder)
    schema = {
        "name": "s",
        "schema": {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]},
    }
    asked = {"model": "unisono", "messages": [{"role": "user", "content": "Hello."}], "max_tokens": 30}
    try:
        plain = httpx.post(
            f"{running.url}/chat/completions", json={**asked, "logprobs": True, "top_logprobs": 3}, timeout=60
        )
        form = {"type": "json_schema", "json_schema": schema}
        formed = httpx.post(
            f"{running.url}/chat/completions", json={**asked, "response_format": form}, timeout=60
        )
    finally:
        running.stop()
    assert plain.status_code == formed.status_code == 200
    told = plain.json()["usage"]["prompt_tokens"]
    assert told == len(
        OmniTokenizer.load(folder).encode([Message("user", [Text("Hello.")])], begin_reply=True)[0]
    )
    assert formed.json()["choices"][0]["message"]["content"].startswith('{"a": ')


def test_it_leaves_as_a_plain_folder(made: tuple[Base, Path], tmp_path: Path) -> None:
    base, folder = made
    export_hf(folder, tmp_path / "hf")
    theirs = transformers.PreTrainedTokenizerFast.from_pretrained(tmp_path / "hf")
    own = OmniTokenizer.load(folder)
    ids = own.encode(ASKED, begin_reply=True)[0].tolist()
    asked = [{"role": "user", "content": ASKED[0].text}]
    options = dict(add_generation_prompt=True, enable_thinking=False, return_dict=False)
    assert theirs.apply_chat_template(asked, **options) == ids
    assert theirs.convert_tokens_to_ids("<|audio_3|>") == own.vocab.to_ids("audio", [3])[0]
    assert theirs.eos_token_id == own.vocab.id("<|end|>") and len(theirs) == own.vocab.size
    engine = load_engine(folder, kind="torch")
    ours = torch.from_numpy(engine.feed([(engine.open(), ids)])[0])
    assert (their_logits(tmp_path / "hf", ids) - ours).abs().max() < 1e-5
    again = OmniTokenizer.load(tmp_path / "hf")
    assert again.encode(ASKED)[0].tolist() == own.encode(ASKED)[0].tolist() and again.vocab == own.vocab


def test_a_gguf_file_is_the_same_network(made: tuple[Base, Path], tmp_path: Path) -> None:
    """Out of ours and in again as a base; the order of a llama's queries and keys changes on both ways."""
    pytest.importorskip("gguf")
    base, folder = made
    export_gguf(folder, tmp_path / "omni.gguf", "f32")
    again = unpacked(tmp_path / "omni.gguf", tmp_path / "again")
    ids = OmniTokenizer.load(folder).encode(ASKED, begin_reply=True)[0].tolist()
    wanted = their_logits(base.folder, ids)[: base.text.size]
    assert (their_logits(again, ids)[: base.text.size] - wanted).abs().max() < 1e-5
    theirs = transformers.PreTrainedTokenizerFast.from_pretrained(again)
    asked = [{"role": "user", "content": ASKED[0].text}]
    options = dict(add_generation_prompt=True, enable_thinking=False, return_dict=False)
    assert theirs.apply_chat_template(asked, **options) == ids


def test_new_rows_are_told_apart_and_none_is_likelier_than_an_average_one() -> None:
    torch.manual_seed(0)
    table = torch.randn(500, 64) * 0.3 + torch.randn(64)
    mean, distance = table.mean(0), (table - table.mean(0)).norm(dim=1).median()
    like = torch.randn(40, 16)
    like[1] = like[0] + 0.01
    for rows in (new_rows(table, 40), new_rows(table, 40, like=like)):
        assert torch.allclose((rows - mean).norm(dim=1), DISTANCE * distance.expand(40), rtol=1e-4)
    codes = new_rows(table, 40) - mean
    assert (codes @ codes.T).argmax(dim=1).tolist() == list(range(40))  # each is nearest to itself, by far
    away = codes @ codes.T - torch.eye(40) * 1e9
    assert away.max() < 0.7 * (DISTANCE * distance) ** 2
    alike = new_rows(table, 40, like=like)
    assert (alike[0] - alike[1]).norm() < 0.1 * (alike[0] - alike[2]).norm()
    hidden = torch.randn(200, 64)
    assert abs((hidden @ new_rows(table, 40).T).mean() - (hidden @ table.T).mean()) < 0.5
    with pytest.raises(UserError, match="expected 41 rows to take directions from, got 40"):
        new_rows(table, 41, like=like)


def test_codes_begin_as_in_a_network_that_knows_them(tmp_path: Path) -> None:
    base = Base.load(str(tiny_base(tmp_path / "base", "llama")), tmp_path)
    known, other = tmp_path / "known", tmp_path / "other"
    vocab = omni_of(base, known).vocab
    shutil.copytree(known, other)
    start = load_pretrained(begun(base, other, tmp_path / "start", codes_of=str(known)))
    first = vocab.span("audio").start
    before, after = (
        model.embed_tokens.weight[first : first + 15] for model in (load_pretrained(known), start)
    )

    def angles(rows: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(rows - rows.mean(0)).detach()

    assert torch.allclose(angles(before) @ angles(before).T, angles(after) @ angles(after).T, atol=0.2)
    audio = json.loads((other / "audio_codec" / "config.json").read_text())
    assert audio  # the codecs are what is compared, not the folder
    shutil.rmtree(other / "audio_codec")
    shutil.rmtree(other / "image_codec")
    foreign = omni_of(base, tmp_path / "third")
    torch.nn.init.ones_(foreign.audio_codec.to_latent.weight)
    for parameter in foreign.image_codec.encoder.parameters():
        torch.nn.init.ones_(parameter)
    foreign.save(other)
    with pytest.raises(UserError, match="hears and sees through other codecs"):
        begun(base, other, tmp_path / "start", codes_of=str(known))
