"""Third-party style: what the network knows about itself, and about what others believe."""

import itertools

from unisono.assess.card.sets import own
from unisono.assess.card.shapes import ACCURACY, choice_sample, judge_choice
from unisono.assess.card.tasks import Context, Measure, NotRun, Parts, ask, card_task

OWN = "written for this project, sets/mind.json, version 1"
LIMITS = own("mind")["limits"]


@card_task(
    "third-party",
    title="Self-knowledge",
    version=1,
    measures=ACCURACY,
    source=OWN,
    limits=LIMITS,
)
def self_knowledge(context: Context) -> Parts:
    """25 facts about itself, each asked in eight ways."""
    held = own("mind")
    samples = []
    for number, (right, wrong, question) in enumerate(held["self"]):
        for frame, form in enumerate(held["frames"]):
            asked = form.format(question=question)
            name = f"{number}-{frame}"
            samples.append(choice_sample(name, asked, right, [wrong], cluster=f"fact-{number}"))
    return Parts(samples=samples, judge=judge_choice, solver=ask(32))


@card_task(
    "third-party",
    title="Theory of mind: false beliefs",
    version=1,
    measures=ACCURACY,
    source=OWN,
    limits=LIMITS,
)
def theory_of_mind(context: Context) -> Parts:
    """A thing is moved while somebody is away. Where will they look, where is it, where was it?"""
    held = own("mind")
    samples = []
    pairs = list(itertools.permutations(held["names"], 2))
    for number in range(70):
        who, other = pairs[number * 13 % len(pairs)]
        thing = held["things"][number % 5]
        first, then = (held["places"][(number + step) % 5] for step in (0, 1 + number % 4))
        story = (
            f"{who} puts the {thing} in the {first} and leaves the room. {other} moves the {thing} from "
            f"the {first} "
            f"to the {then}. {who} comes back."
        )
        questions = {
            "belief": (f"Where will {who} look for the {thing} first?", first, then),
            "reality": (f"Where is the {thing} now?", then, first),
            "memory": (f"Where was the {thing} at the beginning?", first, then),
        }
        for kind, (question, right, wrong) in questions.items():
            asked, groups = f"{story}\n{question}", {"question": kind}
            answers = (f"In the {right}", [f"In the {wrong}"])
            samples.append(
                choice_sample(f"{number}-{kind}", asked, *answers, groups, cluster=f"story-{number}")
            )
    return Parts(samples=samples, judge=judge_choice, solver=ask(32))


@card_task(
    "third-party",
    title="Agent tasks beside people with limited time",
    version=1,
    measures={"solved": Measure("Solved")},
    source="none yet",
    limits="Needs people: without their times there is nothing to stand beside.",
)
def agents_beside_people(context: Context) -> Parts:
    """Jobs that people were timed at."""
    raise NotRun("no human baselines have been taken; the autonomy tasks above stand alone")
