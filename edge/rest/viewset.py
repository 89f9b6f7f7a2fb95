# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The base of the pages' viewsets: a URL of the handlers' table, served by the same handlers. Runs on Django's threads.

Requests arrive here from browsers, and with methods that no handler has (HEAD, OPTIONS, wrong ones). What a handler
answers goes out byte for byte as at the other doors; a browser gets it on a page with forms for the next call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from io import BytesIO
from typing import Any, ClassVar

import msgspec
from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotModified, QueryDict
from django.urls import URLPattern, path
from msgspec import Struct
from msgspec.structs import fields
from rest_framework.parsers import DataAndFiles, FormParser, MultiPartParser
from rest_framework.request import Request, is_form_media_type
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.viewsets import ViewSet

from edge import envelope
from edge.call import AsyncHandler, Call, Route
from edge.caller import Caller
from edge.dispatcher import Dispatcher
from edge.errors import InvalidInput
from edge.page_doors import call_headers
from edge.pages import AUTHENTICATE, READS, is_browser, locked, too_large, trace_id
from edge.rest.described import Errors
from edge.rest.description import describe
from edge.rest.negotiation import BrowserOrJson
from edge.rest.openapi.operation import HandlerSchema
from edge.rest.renderers import EnvelopeRenderer, PageRenderer
from edge.rest.serializer import serializer_of
from runtime.config import Config
from runtime.running import part


class HandlerViewSet(ViewSet):
    """One URL. Subclasses say which, and for each method what it takes and what it answers.

    A GET takes its struct's members from the query, any other method from its body. From these types come the page's
    forms and the OpenAPI document.
    """

    path: ClassVar[str]
    inputs: ClassVar[Mapping[str, type[Struct] | None]]
    outputs: ClassVar[Mapping[str, Any]]
    """The type of the answer's `data`, None for null."""
    errors: ClassVar[Mapping[str, Errors]] = {}
    """The errors that only some calls have."""
    tagged: ClassVar[frozenset[str]] = frozenset()
    """The methods whose answers have an `ETag`, and that may be answered 304."""
    examples: ClassVar[Mapping[str, Any]] = {}
    """Values of members, by name: what the forms hold at first, enough for a first call that works, and what answers
    look like."""
    permission: ClassVar[str] = ""
    """What a person's account needs to change something here, where strangers may not. Empty: only superusers may."""

    schema = HandlerSchema()
    renderer_classes = (EnvelopeRenderer, PageRenderer)
    parser_classes = (FormParser, MultiPartParser)
    content_negotiation_class = BrowserOrJson

    @classmethod
    def url(cls) -> URLPattern:
        """Return the entry for `urlpatterns`."""
        return path(cls.path.removeprefix("/"), cls.as_view({method.lower(): "serve" for method in cls.inputs}))

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.sent: Mapping[str, Any] = {}
        self.refused: dict[str, Serializer[Any]] = {}  # by method: the form with errors, which no call was made for

    def serve(self, request: Request) -> HttpResponseBase:
        """Serve any of the methods through the dispatcher."""
        http: HttpRequest = request._request
        self.sent = request.GET.dict()
        if self._asks_for_form(http):
            return Response(None)
        route = self.route("GET" if request.method == "HEAD" else str(request.method))
        headers = call_headers(http)
        body = self._body(http)
        if route.method != "GET" and is_browser(http) and is_form_media_type(request.content_type):
            body = self._from_form(request, route.method, body, headers)
        client = str(http.META.get("REMOTE_ADDR", ""))  # some calls are for peers only
        caller: Caller | None = getattr(http, "caller", None)
        call = Call(str(http.META.get("QUERY_STRING", "")).encode(), body, headers, client=client, caller=caller)
        page = is_browser(http)
        if page:
            headers.pop(b"if-none-match", None)  # a page is more than its answer
        dispatcher, async_handler = part(Dispatcher), route.choose_async(call.query, len(body))
        if async_handler is None:
            status, answer = dispatcher.serve(route, call, trace_id(http))
        else:
            status, answer = async_to_sync(_serve_async)(async_handler, route, call, trace_id(http))
        http.call_request_id = call.request_id  # type: ignore[attr-defined] # for the access log
        http.call_reason = call.reason  # type: ignore[attr-defined] # likewise
        tags = {"ETag": f'W/"{call.etag.decode()}"'} if call.etag and not page else {}
        if status == 304:
            return HttpResponseNotModified(headers=tags)
        if call.retry_seconds:
            tags["Retry-After"] = str(call.retry_seconds)
        if status == 401:
            tags["WWW-Authenticate"] = AUTHENTICATE
        return Response(answer, status=status, headers=tags)

    def http_method_not_allowed(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Show a browser the forms of a URL that has no GET. Raises MethodNotAllowed for anyone else."""
        http: HttpRequest = request._request
        if http.method in READS and is_browser(http):
            return Response(None)
        return super().http_method_not_allowed(request, *args, **kwargs)

    def _asks_for_form(self, http: HttpRequest) -> bool:
        """Return whether a browser opens a call that needs parameters, and sends none."""
        if http.method not in READS or http.GET or not is_browser(http):
            return False
        struct = self.inputs.get("GET")
        return struct is not None and any(field.required for field in fields(struct))

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Answer `OPTIONS`: describe this URL."""
        data = msgspec.json.encode(describe(self))
        return Response(envelope.ok(data, envelope.json_text(trace_id(request))))

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Add the content security policy to pages."""
        return locked(super().finalize_response(request, response, *args, **kwargs))

    def route(self, method: str) -> Route:
        """Return this URL's route in the running node's table."""
        route = part(Dispatcher).table.find(method.encode(), self.path.encode())
        if route is None:
            raise LookupError(f"{method} {self.path} has a page and no handler")
        return route

    @staticmethod
    def _body(http: HttpRequest) -> bytes:
        limit = part(Config).http.max_body_bytes
        body: bytes = http.read(limit + 1)
        if len(body) > limit:
            raise too_large()
        return body

    def _from_form(self, request: Request, method: str, body: bytes, headers: dict[bytes, bytes]) -> bytes:
        """Return the JSON body of the call that a form describes. Fields that are headers are set in `headers`."""
        struct = self.inputs[method]
        parser = self.content_negotiation_class().select_parser(request, self.get_parsers())
        assert struct is not None  # every method but GET takes a body
        assert parser is not None  # there is one for each form media type
        parsed: Any = parser.parse(BytesIO(body), request.content_type, request.parser_context)
        typed: QueryDict = parsed.data if isinstance(parsed, DataAndFiles) else parsed
        self.sent = typed.dict()
        serializer = serializer_of(struct)(data=typed)
        if not serializer.is_valid():
            self.refused[method] = serializer
            raise InvalidInput("; ".join(f"{name}: {text}" for name, (text, *_) in serializer.errors.items()))
        members: dict[str, Any] = serializer.validated_data
        for name, field in serializer.fields.items():
            if header := field.style.get("header"):
                headers[header.lower().encode("latin-1")] = str(members.pop(name)).encode("latin-1")
        return msgspec.json.encode(members)


async def _serve_async(async_handler: AsyncHandler, route: Route, call: Call, trace_id: bytes) -> tuple[int, bytes]:
    """Return what an async handler answers.

    A call that would wait is answered as it is now: it would hold one of Django's few threads.
    """
    dispatcher = part(Dispatcher)
    work = dispatcher.serve_async(async_handler, route, call, trace_id)
    if not async_handler.idle:
        return await work
    task = asyncio.ensure_future(work)
    await asyncio.wait((task,), timeout=0)
    if task.cancel():
        return dispatcher.serve(route, call, trace_id)
    return task.result()
