"""Capability: sums in words, and programs that are run."""

from typing import Any

from inspect_ai.dataset import Sample

from unisono.assess.card import sandbox
from unisono.assess.card.read import read_code, read_number, unreadable
from unisono.assess.card.sets import public
from unisono.assess.card.tasks import Context, Measure, NotRun, Parts, Reply, Verdict, ask, card_task

NUM_ATTEMPTS = 5
LIMITS = sandbox.Limits(wall_s=6.0, memory_mb=512)
PASS = {
    "pass@1": Measure("pass@1", "higher", "pass@1", of="passed"),
    f"pass@{NUM_ATTEMPTS}": Measure(f"pass@{NUM_ATTEMPTS}", "higher", f"pass@{NUM_ATTEMPTS}", of="passed"),
}


@card_task(
    "capability",
    title="GSM8K: sums in words",
    version=1,
    measures={"accuracy": Measure("Accuracy")},
    source="Cobbe et al. 2021, MIT; 200 of the 1,319 test questions",
    limits="Asked without worked examples; only the last number is read.",
)
def gsm8k(context: Context) -> Parts:
    """School sums; the answer is a number."""
    samples = [
        Sample(
            id=row["id"],
            input=f'{row["question"]}\nThink step by step. End with a line "#### N": N is the answer.',
            target=row["answer"].rpartition("####")[2].strip().replace(",", ""),
        )
        for row in public(context, "gsm8k_test200")
    ]
    return Parts(samples=samples, judge=judge_number, solver=ask(400))


def judge_number(reply: Reply, sample: Sample) -> Verdict:
    """Whether the number of the answer is the right one."""
    answer = read_number(reply.text)
    if answer is None:
        return unreadable(reply, "accuracy")
    right = abs(answer - float(sample.target[0])) < 1e-6
    return Verdict(outcome="correct" if right else "wrong", measures={"accuracy": float(right)})


# ---- programs ----


@card_task(
    "capability",
    title="HumanEval: programs from their description",
    version=1,
    measures=PASS,
    source="Chen et al. 2021, MIT; pass@k unbiased, programs run in the sandbox",
    limits="The set is in many training data.",
)
def humaneval(context: Context) -> Parts:
    """A function from its head and its docstring."""
    _need_sandbox()
    samples = [
        Sample(
            id=row["task_id"],
            input="Complete this function. Reply with the whole function in one Python code block.\n"
            f"```python\n{row['prompt']}```",
            metadata={name: row[name] for name in ("prompt", "entry_point", "test")},
        )
        for row in public(context, "humaneval")
    ]
    return Parts(samples=samples, judge=judge_humaneval, solver=ask(400, 0.8), epochs=NUM_ATTEMPTS)


def judge_humaneval(reply: Reply, sample: Sample) -> Verdict:
    """Whether the function passes its tests."""
    facts = sample.metadata or {}
    code = read_code(reply.text)
    return unreadable(reply, "passed") if code is None else judge_program(humaneval_program(facts, code))


def humaneval_program(facts: dict[str, Any], code: str) -> str:
    """Function and tests as human-eval puts them together; `code` is the body or the whole function."""
    head = facts["prompt"]
    if f"def {facts['entry_point']}" in code:  # the imports of the prompt still hold
        head = head[: head.index(f"def {facts['entry_point']}")]
    return f"{head}{code}\n{facts['test']}\ncheck({facts['entry_point']})\n"


@card_task(
    "capability",
    title="MBPP: short programs",
    version=1,
    measures=PASS,
    source="Austin et al. 2021, CC BY 4.0; task ids 11 to 510, pass@k unbiased, programs run in the sandbox",
    limits="The tests stand in the question, as in the paper. The set is in many training data.",
)
def mbpp(context: Context) -> Parts:
    """A function from a sentence and three tests."""
    _need_sandbox()
    samples = [
        Sample(
            id=f"mbpp-{row['task_id']}",
            input=f"{row['text']}\nReply with one Python code block. The code must pass these tests:\n"
            + "\n".join(row["test_list"]),
            metadata={"test": "\n".join([row["test_setup_code"], *row["test_list"]])},
        )
        for row in public(context, "mbpp")
        if 11 <= row["task_id"] <= 510
    ]
    return Parts(samples=samples, judge=judge_mbpp, solver=ask(400, 0.8), epochs=NUM_ATTEMPTS)


def judge_mbpp(reply: Reply, sample: Sample) -> Verdict:
    """Whether the program passes its tests."""
    code = read_code(reply.text)
    return (
        unreadable(reply, "passed")
        if code is None
        else judge_program(f"{code}\n{(sample.metadata or {})['test']}\n")
    )


def judge_program(program: str) -> Verdict:
    """Runs a program with its tests, shut in."""
    ran = sandbox.run_python(program, LIMITS)
    if ran.timed_out:
        return Verdict(outcome="timed out", measures={"passed": 0.0})
    passed = ran.status == 0
    note = (
        "" if passed else ran.stderr.strip().splitlines()[-1][:200] if ran.stderr.strip() else "it was ended"
    )
    return Verdict(outcome="passed" if passed else "failed", measures={"passed": float(passed)}, note=note)


def _need_sandbox() -> None:
    if sandbox.missing():
        raise NotRun(sandbox.missing())
