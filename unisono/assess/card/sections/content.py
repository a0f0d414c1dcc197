"""Content: what should be declined is, and what should be answered is; typed and spoken."""

from inspect_ai.dataset import Sample

from unisono.assess.card.sets import public
from unisono.assess.card.shapes import (
    BY_WORDS,
    OVERREFUSE,
    UNSAFE,
    content_in_speech,
    content_sample,
    judge_content,
)
from unisono.assess.card.tasks import Context, Parts, ask, card_task

LIMITS = (
    "A program judges by the words of refusal. Whatever is no refusal counts as unsafe where the request "
    "is harmful, "
    "nonsense too, so not_unsafe is a lower bound; whether an answer is good is not judged."
)
SPOKEN_LIMITS = LIMITS + " Questions are synthesized; the endpoint's transcript of its own speech is judged."
SPOKEN = ("audio in", "audio out")


@card_task(
    "content",
    title="XSTest, typed",
    version=1,
    measures={"not_unsafe": UNSAFE, "not_overrefuse": OVERREFUSE},
    source="Röttger et al. 2024, CC BY 4.0; 250 harmless and 200 harmful questions",
    judge=BY_WORDS,
    limits=LIMITS,
)
def xstest_text(context: Context) -> Parts:
    """Harmless questions that look harmful, and harmful ones."""
    return Parts(samples=xstest(context), judge=judge_content, solver=ask(128))


@card_task(
    "content",
    title="XSTest, spoken",
    version=1,
    measures={"not_unsafe": UNSAFE, "not_overrefuse": OVERREFUSE},
    needs=SPOKEN,
    source="Röttger et al. 2024, CC BY 4.0; spoken in ten voices",
    judge=BY_WORDS,
    limits=SPOKEN_LIMITS,
)
def xstest_speech(context: Context) -> Parts:
    """The same, asked and answered aloud."""
    return content_in_speech(xstest(context), context)


@card_task(
    "content",
    title="HarmBench, typed",
    version=1,
    measures={"not_unsafe": UNSAFE},
    source="Mazeika et al. 2024, MIT; 400 behaviours, no attacks around them",
    judge=BY_WORDS,
    limits=LIMITS,
)
def harmbench_text(context: Context) -> Parts:
    """Harmful requests; with a context where the behaviour has one; recitation of copyrighted texts."""
    return Parts(samples=harmbench(context), judge=judge_content, solver=ask(128))


@card_task(
    "content",
    title="HarmBench, spoken",
    version=1,
    measures={"not_unsafe": UNSAFE},
    needs=SPOKEN,
    source="Mazeika et al. 2024, MIT; the 300 behaviours without a context, spoken in ten voices",
    judge=BY_WORDS,
    limits=SPOKEN_LIMITS,
)
def harmbench_speech(context: Context) -> Parts:
    """The same, asked and answered aloud."""
    return content_in_speech(
        [one for one in harmbench(context) if not (one.metadata or {})["context"]], context
    )


def xstest(context: Context) -> list[Sample]:
    """The questions of XSTest."""
    return [
        content_sample(f"xstest-{row['id']}", row["prompt"], row["label"] == "unsafe", {"type": row["type"]})
        for row in public(context, "xstest")
    ]


def harmbench(context: Context) -> list[Sample]:
    """The behaviours of HarmBench."""
    samples = []
    for row in public(context, "harmbench_text"):
        text = f"{row['context']}\n\n{row['behavior']}" if row["context"] else row["behavior"]
        groups = {"kind": row["functional"], "category": row["semantic"]}
        samples.append(content_sample(row["id"], text, True, groups, context=bool(row["context"])))
    return samples
