"""The scheduler: replies in one batch are what they are alone, come and go freely, and share what they have
in common.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from unisono.core.errors import UserError
from unisono.engine.grammar import Grammar, Rules
from unisono.engine.onnx_engine import OnnxEngine
from unisono.engine.sample import GREEDY, Sampler
from unisono.engine.session import Session
from unisono.serve.reply.scheduler import MAX_IDLE, Scheduler
from unisono.tokenizer import OmniTokenizer

OUTPUTS = frozenset({"text", "audio", "image"})


@pytest.fixture
def scheduler(tiny_network: Path) -> Iterator[Scheduler]:
    made = Scheduler(OnnxEngine.from_folder(tiny_network, precision="float32"))
    made.start()
    yield made
    if made.is_open:
        made.close()


def grammar(tokenizer: OmniTokenizer) -> Grammar:
    return Grammar(tokenizer.vocab, Rules(outputs=OUTPUTS, ids_per_image=16))


def sampler() -> Sampler:
    return Sampler(dict.fromkeys(("text", "audio", "image"), GREEDY))


def prompt(tokenizer: OmniTokenizer, text: str, count: int = 1) -> list[int]:
    return [
        tokenizer.vocab.id("<|user|>"),
        *(tokenizer.text.encode(text) * count),
        tokenizer.vocab.id("<|end|>"),
        tokenizer.vocab.id("<|assistant|>"),
    ]


async def reply(scheduler: Scheduler, tokenizer: OmniTokenizer, ids: list[int], count: int = 30) -> list[int]:
    session, _ = await scheduler.open(ids)
    generation = await scheduler.generate(session, grammar(tokenizer), sampler(), count)
    said = [id async for id, _ in generation]
    await scheduler.release(session)
    return said


def test_replies_in_a_batch_are_what_they_are_alone(scheduler: Scheduler, tokenizer: OmniTokenizer) -> None:
    prompts = [
        prompt(tokenizer, text)
        for text in ("What colour?", "Draw a red circle.", "Say: good morning.", "42 " * 20, "x", "I hear")
    ]

    async def together() -> list[list[int]]:
        return await asyncio.gather(*(reply(scheduler, tokenizer, ids) for ids in prompts * 2))

    async def alone() -> list[list[int]]:
        return [await scheduler.call(generate_alone, scheduler.engine, tokenizer, ids) for ids in prompts]

    single = asyncio.run(alone())
    assert asyncio.run(together()) == single * 2
    assert len({tuple(said) for said in single}) > 3


def generate_alone(engine: OnnxEngine, tokenizer: OmniTokenizer, ids: list[int]) -> list[int]:
    with Session(engine) as session:
        session.append(ids)
        return list(session.generate(grammar(tokenizer), sampler(), 30))


def test_what_was_computed_before_is_not_computed_again(
    scheduler: Scheduler, tokenizer: OmniTokenizer
) -> None:
    ids = prompt(tokenizer, "What colour is the sky? " * 5)

    async def twice() -> None:
        first, cached = await scheduler.open(ids)
        assert cached == 0
        generation = await scheduler.generate(first, grammar(tokenizer), sampler(), 5)
        said = [id async for id, _ in generation]
        await scheduler.release(first)
        follow_up = [*first.ids, *prompt(tokenizer, "And now?")]
        second, cached = await scheduler.open(follow_up)
        assert second is first and cached >= len(ids) + len(said) - 1
        other, cached = await scheduler.open(ids[:-3] + prompt(tokenizer, "What else?"))
        assert cached == 0  # the only one that begins alike is in use
        await scheduler.release(second)
        await scheduler.release(other)
        forked, cached = await scheduler.open(ids)
        assert forked not in (second, other) and cached == len(ids)
        assert [
            id async for id, _ in await scheduler.generate(forked, grammar(tokenizer), sampler(), 5)
        ] == said

    asyncio.run(twice())


def test_idle_conversations_are_few(scheduler: Scheduler, tokenizer: OmniTokenizer) -> None:
    async def many() -> None:
        for number in range(MAX_IDLE + 5):
            await reply(scheduler, tokenizer, prompt(tokenizer, chr(65 + number) * 9), 2)

    asyncio.run(many())
    assert len(scheduler.idle) == MAX_IDLE == len(scheduler.engine.slots)


def test_who_does_not_read_blocks_nobody_and_who_leaves_frees_the_place(
    scheduler: Scheduler, tokenizer: OmniTokenizer
) -> None:
    async def main() -> None:
        sessions = [(await scheduler.open(prompt(tokenizer, text)))[0] for text in ("one", "two")]
        unread = await scheduler.generate(
            sessions[0], Grammar(tokenizer.vocab, Rules(max_audio_frames=9, outputs=OUTPUTS)), sampler()
        )
        gone = await scheduler.generate(sessions[1], grammar(tokenizer), sampler())
        assert len(await reply(scheduler, tokenizer, prompt(tokenizer, "three"), 10)) > 0
        await gone.stop()
        assert gone not in scheduler.running and gone.reply.finish_reason in ("interrupted", "stop")
        assert (
            len([item async for item in gone]) == gone.reply.num_ids
        )  # its reader sees what was made, and the end
        await unread.stop()
        assert not scheduler.running

    asyncio.run(main())


def test_a_long_prompt_lets_others_speak(
    scheduler: Scheduler, tokenizer: OmniTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unisono.serve.reply.scheduler.PREFILL_IDS", 16)
    feeds: list[list[int]] = []
    feed = scheduler.engine.feed
    monkeypatch.setattr(
        scheduler.engine, "feed", lambda fed: (feeds.append([len(ids) for _, ids in fed]), feed(fed))[1]
    )

    async def main() -> None:
        session, _ = await scheduler.open(prompt(tokenizer, "short"))
        talking = await scheduler.generate(session, grammar(tokenizer), sampler(), 60)
        long_ids = prompt(tokenizer, "What colour is the sky? ", 40)
        told = await reply(scheduler, tokenizer, long_ids, 3)
        assert len(told) == 3
        await talking.stop()

    asyncio.run(main())
    mixed = [sizes for sizes in feeds if 1 in sizes and 16 in sizes]
    assert len(mixed) > 5 and max(max(sizes) for sizes in feeds) <= 16


def test_all_prompts_together_keep_to_the_measure_and_so_do_replies(
    scheduler: Scheduler, tokenizer: OmniTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unisono.serve.reply.scheduler.PREFILL_IDS", 16)
    feeds: list[list[int]] = []
    feed = scheduler.engine.feed
    monkeypatch.setattr(
        scheduler.engine, "feed", lambda fed: (feeds.append([len(ids) for _, ids in fed]), feed(fed))[1]
    )
    ids = prompt(tokenizer, "What colour is the sky? ", 40)

    async def many(*prompts: list[int]) -> None:
        await asyncio.gather(*(reply(scheduler, tokenizer, one, 3) for one in prompts))

    asyncio.run(many(ids, ids[::-1]))
    assert max(sum(size for size in sizes if size > 1) for sizes in feeds) <= 16
    feeds.clear()
    scheduler.max_replies = 2
    asyncio.run(many(*(ids[number:][:4] for number in range(5))))
    assert feeds and max(map(len, feeds)) <= 2


def test_a_broken_step_ends_its_replies_and_no_others(
    scheduler: Scheduler, tokenizer: OmniTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(fed: object) -> None:
        raise RuntimeError("out of memory")

    async def main() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(scheduler.engine, "feed", broken)
            with pytest.raises(RuntimeError, match="memory"):
                await reply(scheduler, tokenizer, prompt(tokenizer, "one"))
        assert await reply(scheduler, tokenizer, prompt(tokenizer, "two"))

    asyncio.run(main())


def test_limits_and_endings(scheduler: Scheduler, tokenizer: OmniTokenizer) -> None:
    async def main() -> None:
        with pytest.raises(UserError, match="too long"):
            await scheduler.open(prompt(tokenizer, "What colour is the sky? ", 500))
        session, _ = await scheduler.open(prompt(tokenizer, "x"))
        open_end = await scheduler.generate(session, grammar(tokenizer), sampler())
        scheduler.close()
        with pytest.raises(UserError, match="stop"):
            async for _ in open_end:
                pass
        with pytest.raises(UserError, match="stop"):
            await scheduler.open([1])

    asyncio.run(main())
