"""What goes wrong, in the shape that OpenAI's clients read: {"error": {message, type, param, code}}."""

import errno
import logging
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from unisono.core.errors import StoppedError, TooLongError, UserError
from unisono.engine.engine import EngineAway

log = logging.getLogger("unisono.serve")
TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
    503: "server_error",
}


@dataclass
class ApiError(Exception):
    """An error for the client. `param` names the member of the request that is wrong."""

    message: str
    status: int = 400
    param: str | None = None
    code: str | None = None
    retry_after_s: float | None = None

    @property
    def type(self) -> str:
        return TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")

    @property
    def body(self) -> dict[str, Any]:
        """What is sent."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """The HTTP answer. A client's retry makes no sense unless the error says when."""
        headers = (
            {} if self.retry_after_s is None else {"retry-after": f"{max(1, round(self.retry_after_s))}"}
        )
        if self.status >= 429 and self.retry_after_s is None:
            headers["x-should-retry"] = "false"
        return JSONResponse(self.body, self.status, headers)


def as_api_error(error: Exception) -> ApiError:
    """Any error -> one for the client; what is our own fault says nothing of the inside."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, EngineAway):
        log.error("engine failed: %s", error)
        return ApiError("The engine behind this server does not answer; try again soon.", 503, None, None, 5)
    if isinstance(error, UserError):
        code = "context_length_exceeded" if isinstance(error, TooLongError) else None
        return ApiError(_sentence(str(error)), 503 if isinstance(error, StoppedError) else 400, None, code)
    if is_disk_full(error):
        return ApiError("The server has no room left on its disk; try again later.", 507)
    if isinstance(error, HTTPException):
        words = {
            404: "there is nothing at this address; see /docs for what there is",
            405: "this address takes another method",
        }
        return ApiError(words.get(error.status_code, str(error.detail)), error.status_code)
    return ApiError("the server failed on this request; its log names the cause under this request's id", 500)


def logged(error: Exception) -> ApiError:
    """The same, for errors that nothing else logs: what is our own fault is told in the log."""
    found = as_api_error(error)
    if found.status >= 500 and not isinstance(error, (ApiError, EngineAway)):
        log.error("request failed", exc_info=error)
    return found


def is_disk_full(error: BaseException) -> bool:
    """Whether nothing more can be written here."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


async def answer_error(request: Request, error: Exception) -> JSONResponse:
    """Starlette's handler for all of them."""
    found = as_api_error(error)
    if found.status >= 500 and isinstance(error, OSError):  # others Starlette raises once more, to be logged
        log.error("request failed", exc_info=error)
    return found.response()
