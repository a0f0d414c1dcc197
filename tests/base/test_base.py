"""An LLM that becomes an omni network computes what it computed, and reads what it read."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings, strategies as st

transformers = pytest.importorskip("transformers")
from tiny_bases import KINDS, SPECIALS, tiny_base  # noqa: E402

from unisono.base.base import Base  # noqa: E402
from unisono.model.grow import grow_vocabulary  # noqa: E402
from unisono.model.hf import load_pretrained, save_pretrained  # noqa: E402
from unisono.model.transformer import Qwen3  # noqa: E402
from unisono.tokens.message import Message, Text  # noqa: E402
from unisono.tokens.template import Template  # noqa: E402

CODES = 15


def theirs(folder: Path) -> torch.nn.Module:
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def logits(model: Qwen3, ids: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model.logits(model(ids))


def begun(base: Base) -> Qwen3:
    vocab = base.vocabulary(CODES, CODES)
    return grow_vocabulary(load_pretrained(base.folder), vocab.size, kept=vocab.text_size)


@pytest.fixture(scope="module", params=KINDS)
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Base:
    return Base.load(str(tiny_base(tmp_path_factory.mktemp(request.param), request.param)), Path("nowhere"))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shards", ["5GB", "40KB"])
def test_the_logits_of_text_are_those_of_the_base(kind: str, tied: bool, shards: str, tmp_path: Path) -> None:
    folder = tiny_base(tmp_path / "base", kind, tie_word_embeddings=tied, shards=shards)
    assert (folder / "model.safetensors.index.json").exists() == (shards == "40KB")
    base = Base.load(str(folder), tmp_path)
    ids = torch.randint(0, base.text.size, (2, 40), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted = theirs(folder)(ids).logits[..., : base.text.size]
    model = begun(base)
    assert (logits(model, ids)[..., : base.text.size] - wanted).abs().max() < 1e-5
    exported = theirs(save_pretrained(model, tmp_path / "omni"))
    assert (
        type(exported).__name__
        == {"llama": "Llama", "qwen2": "Qwen2", "qwen3": "Qwen3"}[kind] + "ForCausalLM"
    )
    assert (
        exported.config.tie_word_embeddings == tied
        and exported.config.vocab_size == base.vocabulary(CODES, CODES).size
    )
    with torch.no_grad():
        assert (exported(ids).logits - logits(model, ids)).abs().max() < 1e-5


TALKS = [
    ["user"],
    ["user", "assistant"],
    ["user", "assistant", "user"],
    ["system", "user"],
    ["system", "user", "assistant", "user", "assistant"],
    ["user", "assistant", "user", "assistant", "user", "assistant", "user"],
    ["user", "user"],
]
WORDS = [
    "What colour is the sky?",
    "blue",
    "\n\nThe sky ",
    "  42.  ",
    "<tool_response>",
    "\u00bfQu\u00e9? \U0001f600",
    "x\r\n",
]


def written(base: Base, talk: list[str], texts: list[str]) -> None:
    tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(base.folder)
    vocab = base.vocabulary(CODES, CODES)
    template = Template(vocab, base.text, base.turns(vocab))
    is_begun = talk[-1] == "user"
    given = [{"role": role, "content": text} for role, text in zip(talk, texts)]
    wanted = tokenizer.apply_chat_template(
        given, add_generation_prompt=is_begun, enable_thinking=False, return_dict=False
    )
    messages = [Message(role, [Text(text)]) for role, text in zip(talk, texts)]
    ids, mask = template.encode(messages, begin_reply=is_begun)
    assert ids.tolist() == list(wanted)
    # What the assistant says is learned, its end too, and nothing else.
    learned = [base.text.decode([id]) for id, bit in zip(ids.tolist(), mask) if bit]
    said = [text for role, text in zip(talk, texts) if role == "assistant"]
    assert len(said) == sum(piece in SPECIALS[base.config.model_type] for piece in learned)


@pytest.mark.parametrize("talk", TALKS, ids="-".join)
def test_a_conversation_becomes_the_ids_that_the_base_knows(base: Base, talk: list[str]) -> None:
    for first in range(len(WORDS)):
        written(base, talk, [WORDS[(first + number) % len(WORDS)] for number in range(len(talk))])


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ue000\ue001"), max_size=12),
        min_size=3,
        max_size=3,
    )
)
@settings(max_examples=60, deadline=None)
def test_any_words_become_the_ids_that_the_base_knows(base: Base, texts: list[str]) -> None:
    written(base, ["user", "assistant", "user"], texts)


def test_nobody_can_write_a_special_id(base: Base) -> None:
    vocab = base.vocabulary(CODES, CODES)
    template = Template(vocab, base.text, base.turns(vocab))
    for token, id in base.text.specials.items():
        typed = template.encode([Message("user", [Text(f"a{token}b")])], begin_reply=True)[0].tolist()
        plain = template.encode([Message("user", [Text("ab")])], begin_reply=True)[0].tolist()
        assert typed.count(id) == plain.count(id)
        assert token in base.text.decode(typed)
