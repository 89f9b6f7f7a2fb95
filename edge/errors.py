# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The errors that callers see, with their codes in the HTTP contract. Without state.

Handlers raise them; `edge.dispatcher` alone turns them into answers.
"""

from __future__ import annotations

from typing import ClassVar


class ContractError(Exception):
    """An answer other than 200.

    `code`: the contract's code. The HTTP status is `code // 100000`.
    `message`: stable; programs may match it.
    `reason`: for people: which member is wrong and what was expected.
    `retry_seconds`: for `Retry-After`; 0 if the answer has none.
    `data`: the answer's `data`, encoded as JSON.
    `who`: the name of the caller that was refused, for the audit trail; empty if it is not known.
    """

    code: ClassVar[int] = 50001000
    message: ClassVar[str] = "internal error"
    retry_seconds: ClassVar[int] = 0

    def __init__(self, reason: str = "", *, data: bytes = b"null", who: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.data = data
        self.who = who

    @property
    def status(self) -> int:
        """HTTP status code."""
        return self.code // 100000


class InvalidInput(ContractError):
    code = 40001400
    message = "invalid input"


class Unauthorized(ContractError):
    """The call needs a key, and brings none that is valid. The answer has a `WWW-Authenticate` header."""

    code = 40101001
    message = "a key is needed"


class Forbidden(ContractError):
    code = 40301001
    message = "not allowed"


class NotFound(ContractError):
    code = 40401000
    message = "not found"


class MethodNotAllowed(ContractError):
    """`allow` lists the methods that the path knows, as the `Allow` header wants them."""

    code = 40501000
    message = "method not allowed"

    def __init__(self, reason: str, *, allow: tuple[str, ...]) -> None:
        super().__init__(reason)
        self.allow = allow


class RequestTimeout(ContractError):
    code = 40801000
    message = "request timeout"


class Conflict(ContractError):
    """`data` is what is there instead of what the caller expected."""

    code = 40901000
    message = "conflict"


class BodyTooLarge(ContractError):
    code = 41301000
    message = "body too large"


class TooMany(ContractError):
    """A cap or a quota is reached. What is held may be free again at any time."""

    code = 42901000
    message = "refused by a cap"
    retry_seconds = 1


class NoPlace(TooMany):
    """A client has its most places of a kind. `Places` has reported it."""


class HeadersTooLarge(ContractError):
    code = 43101000
    message = "header fields too large"


class InternalError(ContractError):
    """Its reason never carries an exception's text: that goes to the log, beside the trace id."""


class Unavailable(ContractError):
    code = 50301000
    message = "service unavailable"
