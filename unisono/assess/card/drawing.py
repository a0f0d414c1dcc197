"""Solvers that ask other paths than chat: for a drawing, and for a transcript."""

import base64
from typing import Any

from inspect_ai.model import ChatMessageAssistant, ContentAudio, ContentImage, ModelOutput, get_model
from inspect_ai.solver import Generate, Solver, TaskState, solver

from unisono.assess.card.abilities import draw_body
from unisono.assess.card.endpoint import DRAW, TRANSCRIBE, Endpoint, rejected_output


@solver
def draw() -> Solver:
    """The sample's words as a prompt for a drawing, which becomes the reply."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        api = _endpoint()
        reply = await api.post(DRAW, draw_body(api, state.user_prompt.text))
        if "rejected" not in reply:
            data = reply["data"][0]["b64_json"]
            kind = "png" if base64.b64decode(data[:16]).startswith(b"\x89PNG") else "jpeg"
            reply = {"content": [ContentImage(image=f"data:image/{kind};base64,{data}")]}
        return _said(state, api, reply)

    return solve


@solver
def transcribe() -> Solver:
    """The sample's sound as a file to transcribe; the transcript becomes the reply."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        api = _endpoint()
        content = state.user_prompt.content
        sound = next(part for part in content if isinstance(part, ContentAudio))
        wav = base64.b64decode(sound.audio.partition(",")[2])
        reply = await api.post(TRANSCRIBE, {"model": api.model_name, "language": "en"}, wav)
        if "rejected" not in reply:
            reply = {"content": reply["text"]}
        return _said(state, api, reply)

    return solve


def _endpoint() -> Endpoint:
    api = get_model().api
    assert isinstance(api, Endpoint)
    return api


def _said(state: TaskState, api: Endpoint, reply: dict[str, Any]) -> TaskState:
    if "rejected" in reply:
        state.output = rejected_output(api.model_name, reply)
    else:
        message = ChatMessageAssistant(content=reply["content"], model=api.model_name)
        state.output = ModelOutput.from_message(message)
    state.messages.append(state.output.message)
    return state
