"""The base of small, where its package is at hand: it answers as it did before."""

from pathlib import Path

import pytest
import torch

transformers = pytest.importorskip("transformers")
from tiny_bases import omni_of  # noqa: E402

from unisono.base.base import Base  # noqa: E402
from unisono.base.source import base_folder  # noqa: E402
from unisono.core.errors import UserError  # noqa: E402
from unisono.core.home import home  # noqa: E402
from unisono.model.hf import load_pretrained  # noqa: E402
from unisono.omni import Omni  # noqa: E402
from unisono.tokens.message import Message, Text  # noqa: E402

QUESTION = "What is the capital of France?"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Base, Path]:
    try:
        base_folder("smollm2", home())
    except UserError as error:
        pytest.skip(str(error))
    base = Base.load("smollm2", home())
    folder = tmp_path_factory.mktemp("omni")
    omni_of(base, folder)
    return base, folder


@pytest.mark.slow
def test_its_text_is_what_it_was(made: tuple[Base, Path]) -> None:
    base, folder = made
    omni = Omni(folder, engine="torch")
    tokenizer = transformers.AutoTokenizer.from_pretrained(base.folder)
    talks = [
        [{"role": "user", "content": QUESTION}],
        [{"role": "system", "content": "voice: heart"}, {"role": "user", "content": "\n What's 12+30?  "}],
        [
            {"role": role, "content": f"{role} says: 3.14, na\u00efve \U0001f600"}
            for role in ("user", "assistant", "user")
        ],
    ]
    for talk in talks:
        wanted = tokenizer.apply_chat_template(talk, add_generation_prompt=True, return_dict=False)
        messages = [Message(said["role"], [Text(said["content"])]) for said in talk]
        assert omni.tokenizer.encode(messages, begin_reply=True)[0].tolist() == wanted
    theirs = transformers.AutoModelForCausalLM.from_pretrained(base.folder, dtype=torch.float32).eval()
    ids, model = torch.tensor([wanted]), load_pretrained(folder)
    with torch.no_grad():
        difference = model.logits(model(ids))[..., : base.text.size] - theirs(ids).logits
    assert difference.abs().max() < 1e-4  # of logits around 20; float32 through 30 layers
    assert (model.embed_tokens.weight[: base.text.size] == theirs.get_input_embeddings().weight).all()
    with omni.conversation() as conversation:
        assert "Paris" in conversation.reply(QUESTION).text
        assert "Italy" in conversation.reply("Rome is the capital of which country?").text
