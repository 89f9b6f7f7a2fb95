# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with a call."""

from __future__ import annotations


class MetadataCenterError(Exception):
    """The base of all errors of this package."""


class CallRefused(MetadataCenterError):
    """A node answered a call with an error that another node would repeat.

    `status`: the HTTP status.
    `code`: the error's number in the API, such as 40001400.
    `message`: the error's stable text.
    `reason`: names the member that is wrong, for people.
    `trace_id`: finds the call in the node's access log.
    """

    def __init__(self, status: int, code: int, message: str, reason: str, trace_id: str) -> None:
        super().__init__(f"{message}: {reason}" if reason else message)
        self.status = status
        self.code = code
        self.message = message
        self.reason = reason
        self.trace_id = trace_id


class NoNodeAnswered(MetadataCenterError):
    """Each node that was asked failed.

    `failures`: the reason by node, in the order in which they were asked.
    """

    def __init__(self, failures: dict[str, str]) -> None:
        super().__init__("no node answered: " + ", ".join(f"{node}: {why}" for node, why in failures.items()))
        self.failures = failures
