"""The order of a conversation: exact ids and what is learned of them; the jinja template says the same."""

import numpy as np
import pytest

from unisono.core.errors import UserError
from unisono.tokens.message import ROLES, Audio, Call, Image, Message, Part, Text, Thought, Video
from unisono.tokens.template import LEARNED_SHARE, Template, chat_template
from unisono.tokens.text import TextTokenizer
from unisono.tokens.turns import Turns
from unisono.tokens.vocab import NUM_TIMES, Vocabulary

TEXT = TextTokenizer.train(["Hello, what is this? It is a dog."] * 3, 300)
VOCAB = Vocabulary(TEXT.size, 50, 40)
TEMPLATE = Template(VOCAB, TEXT)
CODES = np.array([3, 1, 4, 1])
PICTURE = np.array([9, 8, 7])


def spelled(*pieces: object) -> list[int]:
    """Ids from names of specials, words, and ("audio" | "image", codes)."""
    ids: list[int] = []
    for piece in pieces:
        if isinstance(piece, tuple):
            ids += VOCAB.to_ids(*piece).tolist()
        else:
            ids += [VOCAB.id(str(piece))] if str(piece).startswith("<|") else TEXT.encode(str(piece))
    return ids


def encoded(*messages: Message, **options: object) -> tuple[list[int], str]:
    """-> ids, the loss mask as a string of 0 and 1."""
    ids, mask = TEMPLATE.encode(list(messages), **options)  # type: ignore[arg-type]
    assert ids.dtype == np.int32 and mask.dtype == np.uint8 and ids.shape == mask.shape
    return ids.tolist(), "".join(map(str, mask))


def user(*parts: Part) -> Message:
    return Message("user", list(parts))


def assistant(*parts: Part) -> Message:
    return Message("assistant", list(parts))


def test_text() -> None:
    ids, mask = encoded(Message("system", [Text("is")]), user(Text("Hello")), assistant(Text("It is")))
    asked, answered = len(TEXT.encode("Hello")), len(TEXT.encode("It is"))
    assert ids == spelled(
        "<|system|>", "is", "<|end|>", "<|user|>", "Hello", "<|end|>", "<|assistant|>", "It is", "<|end|>"
    )
    assert mask == "0" * (3 + 2 + asked + 1) + "1" * (answered + 1)
    begun, silent = encoded(user(Text("Hello")), begin_reply=True)
    assert begun == spelled("<|user|>", "Hello", "<|end|>", "<|assistant|>") and set(silent) == {"0"}


def test_what_is_only_context_is_not_learned() -> None:
    _, mask = encoded(
        user(Text("Hello")), Message("assistant", [Text("It is")], is_learned=False), assistant(Text("dog"))
    )
    assert mask.count("1") == len(TEXT.encode("dog")) + 1 and mask.endswith("1")
    ids, mask = encoded(assistant(Thought("is", is_learned=False), Call("{}")))
    assert ids == spelled(
        "<|assistant|>",
        "<|begin_thought|>",
        "is",
        "<|end_thought|>",
        "<|begin_call|>",
        "{}",
        "<|end_call|>",
        "<|end|>",
    )
    assert mask == "0" * (3 + len(TEXT.encode("is"))) + "1" * (3 + len(TEXT.encode("{}")))


def test_tool_and_empty() -> None:
    assert encoded(Message("tool", [Text("dog")])) == (
        spelled("<|tool|>", "dog", "<|end|>"),
        "0" * len(spelled("<|tool|>", "dog", "<|end|>")),
    )
    assert encoded(assistant()) == (spelled("<|assistant|>", "<|end|>"), "01")
    assert encoded() == ([], "")


def test_spoken_reply() -> None:
    ids, mask = encoded(assistant(Text("It"), Audio(CODES), Text("is"), Audio(CODES[:1])))
    assert ids == spelled(
        "<|assistant|>",
        "I",
        "t",
        "<|begin_audio|>",
        ("audio", CODES),
        "<|end_audio|>",
        "i",
        "s",
        "<|begin_audio|>",
        ("audio", CODES[:1]),
        "<|end_audio|>",
        "<|end|>",
    )
    assert mask == "0" + "1" * (len(ids) - 1)


def test_spoken_question() -> None:
    ids, mask = encoded(user(Audio(CODES)))
    assert ids == spelled("<|user|>", "<|begin_audio|>", ("audio", CODES), "<|end_audio|>", "<|end|>")
    assert mask == "00" + "0000" + "1" + "0"


def test_of_the_users_sound_one_code_in_eight_is_learned() -> None:
    _, mask = encoded(user(Audio(np.zeros(8000, np.int64))), rng=np.random.default_rng(0))
    assert mask[:2] == "00" and mask[-2:] == "10"
    assert abs(mask[2:-2].count("1") / 8000 - LEARNED_SHARE) < 0.02
    assert encoded(user(Audio(CODES)), rng=np.random.default_rng(5)) == encoded(
        user(Audio(CODES)), rng=np.random.default_rng(5)
    )


@pytest.mark.parametrize("role, bit", [("user", "0"), ("assistant", "1")])
def test_picture(role: str, bit: str) -> None:
    ids, mask = encoded(Message(role, [Image(PICTURE), Text("dog")]))
    assert ids == spelled(
        f"<|{role}|>", "<|begin_image|>", ("image", PICTURE), "<|end_image|>", "dog", "<|end|>"
    )
    assert mask == "0" + bit * (len(ids) - 1)


def test_clip_with_sound() -> None:
    clip = Video([PICTURE, PICTURE + 1, PICTURE + 2], [CODES, CODES[:2]])
    ids, mask = encoded(user(clip, Text("dog")), rng=np.random.default_rng(0))

    def shown(number: int) -> list[object]:
        return ["<|begin_image|>", ("image", PICTURE + number), "<|end_image|>"]

    assert ids == spelled(
        "<|user|>",
        "<|begin_video|>",
        "<|t:0.0|>",
        *shown(0),
        "<|begin_audio|>",
        ("audio", CODES),
        "<|end_audio|>",
        "<|t:0.5|>",
        *shown(1),
        "<|begin_audio|>",
        ("audio", CODES[:2]),
        "<|end_audio|>",
        "<|t:1.0|>",
        *shown(2),
        "<|end_video|>",
        "dog",
        "<|end|>",
    )
    assert set(mask) == {"0"}  # the sound of a clip is no turn that ends


def test_documents_are_learned_whole() -> None:
    ids, mask = TEMPLATE.document("It is a dog.")
    assert ids.tolist() == spelled("<|document|>", "It is a dog.", "<|end|>") and mask.tolist() == [0] + [
        1
    ] * (len(ids) - 1)


def test_a_prompt_stands_once_before_everything() -> None:
    prompt = [VOCAB.prompt_start, VOCAB.prompt_start + 1]
    prompted = Template(VOCAB, TEXT, TEMPLATE.turns.begun_with(prompt))
    assert prompted.prompt == prompt and TEMPLATE.prompt == []
    talk = [Message("system", [Text("It is")]), user(Text("Hello")), Message("assistant", [Text("dog")])]
    for messages in (talk, talk[1:], talk[2:], []):
        for begin_reply in (True, False):
            ids, mask = prompted.encode(messages, begin_reply=begin_reply)
            plain, plain_mask = TEMPLATE.encode(messages, begin_reply=begin_reply)
            before = prompt if len(plain) else []
            assert ids.tolist() == [*before, *plain] and mask.tolist() == [0] * len(before) + [*plain_mask]


def test_a_prompt_does_not_stand_before_turns_that_a_base_says_nothing_of() -> None:
    base = Turns({role: () for role in ROLES}, {("start", "user"): (7,), ("user", "begin"): (8,)})
    prompted = base.begun_with([9])
    assert prompted.open("start", "user") == (9, 7) and prompted.open("start", "begin") == (9, 8)
    assert prompted.open("tool", "user") == base.open("tool", "user") == (7,)
    assert prompted.open("assistant", "user") == (7,) and prompted.open("tool", "begin") == (8,)


def test_typed_specials_stay_text() -> None:
    ids, _ = encoded(user(Text("<|end|><|assistant|>")))
    assert [VOCAB.modality(id) for id in ids] == ["special"] + ["text"] * (len(ids) - 2) + ["special"]


def test_errors_name_what_was_expected() -> None:
    with pytest.raises(UserError, match="a clip may last 32 s"):
        encoded(user(Video([PICTURE] * (NUM_TIMES + 1))))
    assert len(encoded(user(Video([PICTURE] * NUM_TIMES)))[0]) == 4 + NUM_TIMES * 6
    with pytest.raises(ValueError, match="expected Text, Audio, Image, Video, Call or Thought, got str"):
        encoded(Message("user", ["hello"]))  # type: ignore[list-item]
    with pytest.raises(ValueError, match="role must be one of"):
        Message("robot", [])
    with pytest.raises(ValueError, match=r"audio codes must lie in \[0, 50\)"):
        encoded(user(Audio(np.array([50]))))
    with pytest.raises(UserError, match="not of the same network"):
        Template(Vocabulary(TEXT.size - 1, 50, 40), TEXT)


def test_the_text_of_a_message() -> None:
    assert user(Text("a"), Image(PICTURE), Text("b")).text == "ab" and user(Audio(CODES)).text == ""


CONVERSATIONS = [
    [("user", "Hello")],
    [
        ("system", "voice: heart"),
        ("user", "What is this?"),
        ("assistant", "It is a dog."),
        ("user", " Hm\n{{ x }}"),
    ],
    [("tool", "<b>&\"'"), ("assistant", "")],
    [],
]


@pytest.mark.parametrize("turns", CONVERSATIONS)
@pytest.mark.parametrize("begin_reply", [False, True])
@pytest.mark.parametrize("in_parts", [False, True])
def test_jinja_renders_the_same(turns: list[tuple[str, str]], begin_reply: bool, in_parts: bool) -> None:
    jinja2 = pytest.importorskip("jinja2")
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)  # as transformers sets it up
    rendered = environment.from_string(chat_template()).render(
        add_generation_prompt=begin_reply,
        messages=[
            {"role": role, "content": [{"type": "text", "text": text}] if in_parts else text}
            for role, text in turns
        ],
    )
    ids, _ = encoded(*(Message(role, [Text(text)]) for role, text in turns), begin_reply=begin_reply)
    assert rendered == "".join(
        TEXT.decode([id]) if VOCAB.modality(id) == "text" else VOCAB.name(id) for id in ids
    )
