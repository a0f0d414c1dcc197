"""A simple agent: the endpoint writes commands, they run in the sandbox, their output is given back.

The commands stand in fenced blocks of its text, so any endpoint can be asked, with tools or without.
"""

from pathlib import Path

import anyio.to_thread
from inspect_ai.model import ChatMessageUser
from inspect_ai.solver import Generate, Solver, TaskState, solver

from unisono.assess.card import sandbox
from unisono.assess.card.read import BLOCK

MAX_ROUNDS = 30
MAX_EMPTY = 3  # replies in a row without a command; then it is taken to have given up
SHOWN = 1500  # characters of output that are given back
LIMITS = sandbox.Limits(wall_s=20.0)
MANUAL = (
    "\n\nYou work in a Linux shell in the folder /work, with python3 and without a network. Write one "
    "command or "
    "script in a ```sh block; you will be shown its output. You have {rounds} rounds. When you are done, "
    "write the "
    "line DONE: and your answer."
)


@solver
def agent(max_rounds: int = MAX_ROUNDS) -> Solver:
    """`files` of the sample's metadata lie in /work; `check`, a command, is run at the end: status 0 is
    passed.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        facts = state.metadata
        state.user_prompt.text += MANUAL.format(rounds=max_rounds)
        files = {name: text.encode("latin-1") for name, text in (facts.get("files") or {}).items()}
        with sandbox.folder(files) as work:
            facts["rounds"] = await _rounds(state, generate, work, max_rounds)
            if facts.get("check"):
                ran = await anyio.to_thread.run_sync(_shell, facts["check"], work)
                facts["passed"] = ran.status == 0
        return state

    return solve


async def _rounds(state: TaskState, generate: Generate, work: Path, max_rounds: int) -> int:
    """Talks and runs until it says DONE, gives up, or the rounds are over -> the number of rounds."""
    empty = 0
    for number in range(1, max_rounds + 1):
        state = await generate(state, temperature=0.7, seed=1000 * state.epoch + number, max_tokens=300)
        text = state.output.completion
        rejected = (state.output.metadata or {}).get("rejected")
        if "DONE:" in text or rejected:
            return number
        commands = "\n".join(BLOCK.findall(text)).strip()
        empty = 0 if commands else empty + 1
        if empty == MAX_EMPTY:
            return number
        told = "There was no ```sh block."
        if commands:
            told = _told(await anyio.to_thread.run_sync(_shell, commands, work))
        state.messages.append(ChatMessageUser(content=told))
    return max_rounds


def _shell(commands: str, work: Path) -> sandbox.Ran:
    return sandbox.run(["sh", "-c", commands], work, LIMITS)


def _told(ran: sandbox.Ran) -> str:
    """What the endpoint is shown of a command."""
    ended = "the time limit ended it" if ran.timed_out else f"exit status {ran.status}"
    return f"{(ran.stdout + ran.stderr)[-SHOWN:]}\n[{ended}]"


def last_answer(turns: tuple[str, ...]) -> str | None:
    """What stands behind the last DONE:, if anything does."""
    for text in reversed(turns):
        if "DONE:" in text:
            return text.rpartition("DONE:")[2].strip()
    return None


def used_commands(turns: tuple[str, ...]) -> bool:
    """Whether it ever wrote a command or an answer; otherwise nothing could be read."""
    return any(BLOCK.search(text) or "DONE:" in text for text in turns)
