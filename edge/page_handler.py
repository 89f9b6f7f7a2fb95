# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Django, as one synchronous function from a request to an answer. Runs on the threads of `PageThreads`.

Django's own ASGI handler goes to a thread and back for each of its middlewares, and starts a thread for each request.
Here a request is on one thread from its first middleware to its last.
"""

from __future__ import annotations

import logging
from io import BytesIO
from typing import Any

from django.core import signals
from django.core.handlers.asgi import ASGIRequest, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from edge.arrival import KEY, Arrival
from edge.dispatcher import Dispatcher
from edge.envelope import CONTENT_TYPE
from edge.errors import InternalError
from edge.kept_pages import Headers, MadeOnce, PageAnswer
from edge.page_stream import PIECE_BYTES, PageStream
from edge.pages import bad_request

logger = logging.getLogger("edge")


class PageHandler(BaseHandler):
    """Django's handler. It keeps nothing between two requests."""

    def __init__(self) -> None:
        super().__init__()
        self.load_middleware()

    def answer(self, scope: dict[str, Any], body: bytes) -> PageAnswer:
        """Return the answer to a request. Never raises."""
        try:
            return self._answer(scope, body)
        except Exception:
            arrival: Arrival = scope[KEY]
            trace_id = arrival.trace_id.decode("latin-1")
            logger.exception("%s %s failed, trace id %s", scope["method"], scope["path"], trace_id)
            status, refusal = Dispatcher.refuse(
                InternalError("the log has the cause, under this trace id"), arrival.trace_id
            )
            return PageAnswer(status, ((b"content-type", CONTENT_TYPE),), (refusal,))

    def _answer(self, scope: dict[str, Any], body: bytes) -> PageAnswer:
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        response: HttpResponseBase | None = None
        try:
            response = self._respond(scope, body)
            made_once = isinstance(response, MadeOnce) and response.status_code == 200 and scope["method"] == "GET"
            head = response.status_code, _headers(response)
            if isinstance(response, StreamingHttpResponse):
                return PageAnswer(*head, (), stream=PageStream(response))
            return PageAnswer(*head, _pieces(response), made_once)
        finally:
            if response is None or response.streaming:  # a stream is closed at its end
                signals.request_finished.send(sender=self.__class__)
            else:
                response.close()

    def _respond(self, scope: dict[str, Any], body: bytes) -> HttpResponseBase:
        try:
            request = ASGIRequest(scope, BytesIO(body))
        except UnicodeDecodeError as problem:  # its query is no text
            return bad_request(ASGIRequest({**scope, "query_string": b""}, BytesIO()), problem)
        return self.get_response(request)


def _headers(response: HttpResponseBase) -> Headers:
    found = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
    found += [(b"set-cookie", each.output(header="").strip().encode("ascii")) for each in response.cookies.values()]
    return tuple(each for each in found if each[0] != b"x-trace-id")


def _pieces(response: HttpResponseBase) -> tuple[bytes, ...]:
    assert isinstance(response, HttpResponse)
    body = response.content
    return tuple(body[start : start + PIECE_BYTES] for start in range(0, len(body), PIECE_BYTES))
