"""One conversation's state: what is generated is what a fresh conversation with the same ids would
generate.
"""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from unisono.core.errors import UserError
from unisono.engine.engine import Engine
from unisono.engine.grammar import Grammar, Rules
from unisono.engine.onnx_engine import OnnxEngine
from unisono.engine.sample import GREEDY, Sampler, Sampling
from unisono.engine.session import Session
from unisono.engine.torch_engine import TorchEngine
from unisono.model.config import preset
from unisono.model.transformer import Qwen3
from unisono.tokens.vocab import Vocabulary

VOCAB = Vocabulary(text_size=100, audio_size=50, image_size=40)
END, BEGIN_AUDIO, END_AUDIO = (VOCAB.id(name) for name in ("<|end|>", "<|begin_audio|>", "<|end_audio|>"))
PROMPT = [VOCAB.id("<|user|>"), 1, 2, 3, END, VOCAB.id("<|assistant|>")]
EVERYTHING = frozenset({"text", "audio", "image"})


@pytest.fixture(params=["torch", "onnx"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    torch.manual_seed(0)
    model = Qwen3(preset("tiny", VOCAB.size, max_position_embeddings=200)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.1) if weight.ndim > 1 else weight.uniform_(0.5, 1.5)
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    yield TorchEngine(model) if request.param == "torch" else OnnxEngine(model.config, state, "float32")


def greedy() -> Sampler:
    return Sampler({"text": GREEDY, "audio": GREEDY, "image": GREEDY})


def grammar(**rules: object) -> Grammar:
    return Grammar(VOCAB, Rules(**rules))  # type: ignore[arg-type]


def started(engine: Engine) -> Session:
    session = Session(engine)
    session.append(PROMPT)
    return session


def test_who_would_end_but_owes_a_picture_draws_it(engine: Engine) -> None:
    """And does not write on instead, until something else comes to its mind."""
    session, begin = started(engine), VOCAB.id("<|begin_image|>")
    making = session.begin(grammar(outputs=EVERYTHING, force_image=True, ids_per_image=4), greedy(), 50)
    session.logits = lambda: np.where(np.arange(VOCAB.size) == END, 9.0, 0.0).astype(np.float32)  # type: ignore[method-assign]
    first = making.step()
    assert first == begin
    while not making.done:
        last = making.step()
    assert last == END and making.num_ids == 1 + 4 + 1 + 1


def test_generation_follows_the_network_and_the_grammar(engine: Engine) -> None:
    session = started(engine)
    ids = list(session.generate(grammar(), greedy(), max_ids=20))
    assert session.ids == PROMPT + ids and 0 < len(ids) <= 20
    plain, handle = list(PROMPT), engine.open()
    state = grammar()
    for id in ids:
        logits = engine.feed([(handle, plain)])[0]
        assert id == int(np.where(state.mask(), logits, -np.inf).argmax())
        state.advance(id)
        plain.append(id)
        engine.rewind(handle, 0)


def test_a_drawn_reply_has_a_whole_picture(engine: Engine) -> None:
    rules = dict(outputs={"text", "image"}, force_image=True, max_text_ids=4)
    ids = list(started(engine).generate(grammar(**rules), Sampler(seed=3)))
    assert ids[-1] == END
    assert sum(VOCAB.modality(id) == "image" for id in ids) == 64


@pytest.mark.parametrize("outputs, reason", [({"text"}, "length"), ({"text", "image"}, "stop")])
def test_a_text_that_may_not_go_on_did_not_end_itself(engine: Engine, outputs: set[str], reason: str) -> None:
    session = started(engine)
    reply = session.begin(
        grammar(outputs=outputs, force_image="image" in outputs, max_text_ids=1), Sampler(seed=3)
    )
    assert len(list(reply)) >= 2 and session.ids[-1] == END and reply.finish_reason == reason
    length = session.length
    reply.close()
    assert session.length == length


def test_regenerate_by_rewind_and_by_fork(engine: Engine) -> None:
    session = started(engine)
    fork = session.fork()
    reply = session.begin(grammar(), greedy(), max_ids=12)
    first = list(reply)
    session.rewind(reply.start)
    assert session.ids == PROMPT
    assert list(session.generate(grammar(), greedy(), max_ids=12)) == first
    assert list(fork.generate(grammar(), greedy(), max_ids=12)) == first
    fork.append([7])
    assert session.length + 1 == fork.length


def test_rewind_within_pending_and_to_nothing(engine: Engine) -> None:
    session = started(engine)
    wanted = session.logits().copy()
    session.append([1, 2, 3])
    session.rewind(len(PROMPT))  # nothing of this had been fed
    assert session.pending == [] and np.allclose(session.logits(), wanted)
    session.rewind(3)
    session.append(PROMPT[3:])
    assert np.allclose(session.logits(), wanted, atol=1e-5)
    session.rewind(0)
    with pytest.raises(ValueError, match="an empty conversation"):
        session.logits()
    session.append(PROMPT)
    assert np.allclose(session.logits(), wanted, atol=1e-5)
    with pytest.raises(ValueError, match="can rewind to 0"):
        session.rewind(99)


def test_interrupt_keeps_what_was_heard(engine: Engine) -> None:
    session = started(engine)
    prefix = [5, 6, BEGIN_AUDIO]
    session.append(prefix)
    reply = session.begin(grammar(outputs=EVERYTHING).replay(prefix), Sampler(seed=0), max_ids=30)
    codes = [reply.step() for _ in range(6)]
    heard = [id for id in codes[:4]]
    reply.interrupt(reply.start + 4)
    assert reply.finish_reason == "interrupted" and list(reply) == []
    closing = [END] if END_AUDIO in heard else [END_AUDIO, END]
    assert session.ids == PROMPT + prefix + heard + closing
    session.append(PROMPT)
    assert session.logits().shape == (VOCAB.size,)


def test_an_unfinished_picture_is_taken_out(engine: Engine) -> None:
    session = started(engine)
    reply = session.begin(grammar(outputs={"image"}, force_image=True), Sampler(seed=0), max_ids=10)
    assert len(list(reply)) == 10 and reply.finish_reason == "length"
    reply.close()
    assert session.ids == PROMPT + [END]


def test_a_full_context_says_how_much_fits(engine: Engine) -> None:
    session = Session(engine)
    session.append([1] * 190)
    with pytest.raises(
        UserError, match="11 more ids were to be added, but only 10 of the model's 200 still fit"
    ):
        session.append([2] * 11)
    assert session.length == 190
    reply = session.begin(grammar(outputs={"audio"}), Sampler({"audio": Sampling(temperature=0)}))
    assert len(list(reply)) <= 8
    reply.close()
    assert session.length <= 200 and session.ids[-1] == END
    session.replace([1] * 199)
    with pytest.raises(UserError, match="only 1 of the model's 200"):
        session.begin(grammar())


def test_a_repeated_history_is_not_fed_again(engine: Engine) -> None:
    session = started(engine)
    session.logits()
    assert session.replace(PROMPT + [9, 8]) == len(PROMPT)
    assert session.pending == [9, 8]
    found = session.logits().copy()
    assert session.replace([9] + PROMPT) == 0
    assert session.replace(PROMPT + [9, 8]) == 0
    assert np.allclose(session.logits(), found, atol=1e-5)
    assert session.replace(PROMPT + [9, 8]) == len(PROMPT) + 2 and np.allclose(
        session.logits(), found, atol=1e-5
    )
