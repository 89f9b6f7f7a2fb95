# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What every route answers to every kind of caller, asked of real nodes: the table in `docs/security.md`.

    .venv/bin/python -m tests.route_table      # writes it anew

The routes come from the program: the dispatcher's table, Django's URL patterns, the admin's operations, the sockets
and the profiling port. Each needs a request in `REQUESTS`, or a value for its parameters in `VALUES`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from tests.nodes import ROOT, NodeProcess, put_accounts, running_node
from tests.ports import free_port

if TYPE_CHECKING:
    from metadata_center.node import Node

DOCUMENT = ROOT / "docs" / "security.md"
BEGIN, END = "<!-- The table of routes: begin -->", "<!-- The table of routes: end -->"

# Where a request is about to come from elsewhere: what a proxy adds makes loopback count for nothing.
ELSEWHERE = {"X-Forwarded-For": "203.0.113.9"}
FOREIGN = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
SOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
KEYS = ("read", "write", "operate", "replicate")
CALLERS = ("stranger", "foreign page", "read key", "write key", "operate key", "peer", "operator session")
PASSWORD = "a long enough pass phrase"

REQUEST = {"cluster": "c", "request_id": "r", "ip": "10.0.0.1", "prompt_length": 1}
CACHE = {"cluster": "c", "ip": "10.0.0.1", "prompt_hash": [1, 2]}
# What each call is asked: its query, and its body. Calls of peers get a body that is none: 400 is for who is let in.
REQUESTS: dict[str, tuple[str, Any]] = {
    "POST /v1/load/stats": ("", REQUEST),
    "DELETE /v1/load/stats": ("", {"request_id": "r"}),
    "DELETE /v1/load/prompt": ("", {"request_id": "r"}),
    "GET /v1/load/stats": ("cluster=c", None),
    "PUT /v1/load/tokens": ("", {"request_id": "r", "input_tokens": 1, "output_tokens": 1}),
    "PUT /v1/load/refresh": ("", {"request_ids": ["r"]}),
    "PUT /v1/load/owner": ("", {"owner": "o", "ttl_seconds": 60}),
    "POST /v1/load/batch": ("", {"ops": [{"op": "delete", "request_id": "r"}]}),
    "DELETE /v1/load/engine": ("", {"cluster": "c", "ip": "10.0.0.1"}),
    "GET /v1/load/clusters": ("", None),
    "POST /v1/load/pick": ("", {"cluster": "c", "request_id": "p", "candidates": ["10.0.0.1"]}),
    "GET /v1/load/request": ("request_id=r", None),
    "GET /v1/load/owners": ("", None),
    "DELETE /v1/load/owner": ("", {"owner": "o"}),
    "GET /v1/load/history": ("", None),
    "POST /v1/cache/save": ("", CACHE),
    "POST /v1/cache/query": ("", {"cluster": "c", "prompt_hash": [1, 2]}),
    "DELETE /v1/cache": ("", {"cluster": "c", "ip": "10.0.0.1"}),
    "POST /v1/replica/event": ("", {}),
    "POST /v1/replica/hello": ("", {}),
    "POST /v1/replica/push": ("", {}),
    "POST /v1/replica/summary": ("", {}),
    "POST /v1/replica/state": ("", {}),
    "POST /v1/replica/cache": ("", {}),
    "POST /v1/replica/notices": ("", {}),
    "POST /v1/replica/history": ("", {}),
    "GET /v1/replica/peers": ("", None),
    "GET /v1/node/clients": ("", None),
    "GET /v1/events": ("", None),
    "POST /log/level": ("", {"LevelParam": "INFO"}),
    "GET /livez": ("", None),
    "GET /readyz": ("", None),
    "GET /version": ("", None),
}
# What stands for a parameter of a URL.
VALUES = {"<cluster:name>": "c", "<id>": "1", "<path:object_id>": "1", "<path:content_type_id>": "1"}
PATTERNS = {"(?P<url>.*)$": "nothing-here", "^(?P<app_label>": "auth/", "^ws/load/(?P<cluster>": "ws/load/c/"}
FORMS: dict[str, dict[str, str]] = {
    "set_log_level": {"level": "INFO"},
    "run_task": {"name": "none"},
    "forget_engine": {"cluster": "c", "ip": "10.0.0.9"},
    "end_request": {"request_id": "none"},
    "end_requests": {"owner": "none"},
    "resync_peer": {"name": "none"},
    "revoke_accesskey": {"name": "none"},
}


class Line(msgspec.Struct, frozen=True):
    """A route as the table has it, and what it is asked.

    `kind`: `call`, `page`, `form`, `socket` or `profile`.
    `name`: the route as the program spells it.
    `target`, `body`: what is asked; a body is JSON, of a form its fields.
    """

    kind: str
    method: str
    name: str
    target: str
    body: bytes = b""


def lines() -> list[Line]:
    """Return every route of the program. Raises KeyError for one that nothing is known to ask."""
    return [*calls(), *pages(), *forms(), *sockets(), *profiles()]


def calls() -> Iterator[Line]:
    for method, path in table():
        query, body = REQUESTS[f"{method} {path}"]
        encoded = b"" if body is None else msgspec.json.encode(body)
        yield Line("call", method, path, f"{path}?{query}" if query else path, encoded)


def table() -> list[tuple[str, str]]:
    """Return method and path of each route of a node's table."""
    from edge.dispatcher import Dispatcher  # noqa: PLC0415 Django must be set up

    return [(route.method, route.path) for route in published()[Dispatcher].table]


def published() -> Mapping[type, Any]:
    """Return the parts of a node that is not started."""
    return unstarted().published()


def unstarted() -> Node:
    """Return a node that is not started."""
    from django.conf import settings  # noqa: PLC0415

    from metadata_center.node import Node  # noqa: PLC0415

    logs: Any = SimpleNamespace(access=None, level="INFO", dropped=0)
    return Node(settings.CONFIG, logs)


def pages() -> Iterator[Line]:
    known = {path for _, path in table()}
    for pattern in url_patterns():
        if f"/{pattern}" not in known:
            yield Line("page", "GET", f"/{pattern}", f"/{filled(pattern)}")
    yield Line("page", "GET", "/static/…", "/static/console/icon.svg")


def url_patterns() -> Iterator[str]:
    """Return every URL of Django's as its pattern."""
    from django.urls import URLResolver, get_resolver  # noqa: PLC0415

    def walk(resolver: URLResolver, before: str) -> Iterator[str]:
        for each in resolver.url_patterns:
            here = f"{before}{each.pattern}"
            yield from walk(each, here) if isinstance(each, URLResolver) else (here,)

    return walk(get_resolver(), "")


def filled(pattern: str) -> str:
    """Return a pattern with values for its parameters. Raises KeyError for a parameter that has none."""
    for beginning, value in PATTERNS.items():
        before, found, _ = pattern.partition(beginning)
        if found:
            return before + value
    return re.sub(r"<[^>]+>", lambda match: VALUES[match[0]], pattern)


def forms() -> Iterator[Line]:
    """The operations of the admin."""
    for app, model, operation in operations():
        path = f"/admin/{app}/{model}/{operation}/"
        yield Line("form", "POST", path, path, urlencode(FORMS[operation]).encode())


def operations() -> Iterator[tuple[str, str, str]]:
    from django.contrib import admin  # noqa: PLC0415

    from edge.live_admin import LiveAdmin  # noqa: PLC0415

    for model, page in admin.site._registry.items():
        if isinstance(page, LiveAdmin):
            for operation in page.operations:
                yield model._meta.app_label, str(model._meta.model_name), operation.codename


def sockets() -> Iterator[Line]:
    door = unstarted().application().application_mapping["websocket"]  # type: ignore[attr-defined]
    while not hasattr(door, "routes"):  # what guards them
        door = door._application
    for route in door.routes:
        pattern = str(route.pattern)
        if pattern:  # the last one answers 404 to all others
            yield Line("socket", "GET", f"/{pattern}", f"/{filled(pattern)}")


def profiles() -> Iterator[Line]:
    from runtime.profiling.endpoints import Endpoints  # noqa: PLC0415

    nothing: Any = None
    for endpoint in Endpoints(cpu=nothing, heap=nothing, threads=nothing)._all:
        yield Line("profile", "GET", endpoint.path, f"{endpoint.path}?seconds=1")


class AskedNode:
    """A running node with a key of each scope and an operator's session."""

    def __init__(self, node: NodeProcess, profiling: int, keys: Mapping[str, str]) -> None:
        self._node = node
        self._keys = keys
        self._profiling = profiling
        self._cookies = self._log_in()

    def status(self, caller: str, line: Line) -> str:
        """Return what a route answers to a caller."""
        if line.kind == "call":
            self._prepare()
        headers = self._headers(caller)
        if line.kind == "form":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if line.kind == "socket":
            headers |= SOCKET
        port = self._profiling if line.kind == "profile" else self._node.port
        status, _, _ = self._ask(port, line.method, line.target, line.body or None, headers)
        if line.name.startswith("/admin/") and line.name.endswith(("logout/", "password_change/")):
            self._cookies = self._log_in()
        return str(status)

    def _headers(self, caller: str) -> dict[str, str]:
        kind, _, what = caller.partition(" ")
        if what == "key":
            return ELSEWHERE | {"Authorization": f"Bearer {self._keys[kind]}"}
        if caller == "peer":
            return ELSEWHERE | {"Authorization": f"Bearer {self._keys['replicate']}"}
        cookie = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        if caller == "foreign page":  # in the browser of an operator, on the node's own machine
            return FOREIGN | {"Cookie": cookie}
        if caller == "operator session":
            own = {"Origin": f"http://127.0.0.1:{self._node.port}", "Sec-Fetch-Site": "same-origin"}
            return ELSEWHERE | own | {"Cookie": cookie, "X-CSRFToken": self._cookies["csrftoken"]}
        return dict(ELSEWHERE)

    def _prepare(self) -> None:
        """Have a request and a cache there that can be ended and dropped."""
        for path, body in (("/v1/load/stats", REQUEST), ("/v1/cache/save", CACHE)):
            key = {"Authorization": f"Bearer {self._keys['write']}"}
            status, _, text = self._ask(self._node.port, "POST", path, msgspec.json.encode(body), key)
            assert status == 200, text

    def _log_in(self) -> dict[str, str]:
        cookies: dict[str, str] = {}
        form: dict[str, str] | None = None
        for method in ("GET", "POST"):
            headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
            if form is not None:
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = None if form is None else urlencode(form).encode()
            _, fields, _ = self._ask(self._node.port, method, "/admin/login/", body, headers)
            for name, value in fields:
                if name.lower() == "set-cookie":
                    cookies |= {name: morsel.value for name, morsel in SimpleCookie(value).items()}
            form = {"username": "anna", "password": PASSWORD, "csrfmiddlewaretoken": cookies["csrftoken"]}
        assert "sessionid" in cookies, "the operator was not let in"
        return cookies

    @staticmethod
    def _ask(
        port: int, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request(method, target, body, dict(headers))
            response = connection.getresponse()
            text = b"" if response.status == 101 else response.read()
            return response.status, response.getheaders(), text
        finally:
            connection.close()


@contextmanager
def asked_node(folder: Path, *, required: bool) -> Iterator[AskedNode]:
    """A node of default settings, but for `[Auth] Required` where asked for."""
    put_accounts(folder)
    node = {"METADATA_CENTER_NODE_DATA_DIR": str(folder)}
    keys = {scope: manage(node, "keys", "create", "--name", scope, "--scope", scope).split()[-1] for scope in KEYS}
    manage(node, "shell", "-c", MAKE_OPERATOR)
    profiling = free_port()
    with running_node(
        folder,
        METADATA_CENTER_AUTH_REQUIRED="true" if required else "false",
        METADATA_CENTER_LOG_ACCESS_OUTPUT="off",
        METADATA_CENTER_PPROF_PORT=str(profiling),
    ) as running:
        yield AskedNode(running, profiling, keys)


MAKE_OPERATOR = f"""
from django.contrib.auth.models import Group, User
anna = User.objects.create_user("anna", password="{PASSWORD}", is_staff=True)
anna.groups.add(Group.objects.get(name="operator"))
"""


def manage(environment: Mapping[str, str], *words: str) -> str:
    """Run a command of the node's. Returns what it wrote."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("METADATA_CENTER")}
    command = [sys.executable, "manage.py", *words]
    ran = subprocess.run(
        command, cwd=ROOT, env=inherited | dict(environment), capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def answers(routes: Iterable[Line], folder: Path) -> dict[Line, tuple[tuple[str, str], ...]]:
    """Return for each route what each of `CALLERS` is answered, by default and where keys are required."""
    columns = []
    for required in (False, True):
        place = folder / str(required)
        place.mkdir()
        with asked_node(place, required=required) as node:
            columns.append({line: [node.status(caller, line) for caller in CALLERS] for line in routes})
    default, required_ = columns
    return {line: tuple(zip(default[line], required_[line], strict=True)) for line in default}


def render(found: Mapping[Line, tuple[tuple[str, str], ...]]) -> str:
    """Return the table as Markdown."""
    head = f"| route | {' | '.join(CALLERS)} |\n|---|{'---|' * len(CALLERS)}"
    names = {"call": "", "page": "", "form": "", "socket": "socket ", "profile": "profiling port: "}
    rows = []
    for line, cells in found.items():
        shown = [a if a == b else f"{a} / {b}" for a, b in cells]
        name = line.name.replace("|", "\\|")
        rows.append(f"| {names[line.kind]}`{line.method} {name}` | {' | '.join(shown)} |")
    return "\n".join([head, *rows])


def in_document() -> str:
    """Return the table as the document has it."""
    return DOCUMENT.read_text().partition(BEGIN)[2].partition(END)[0].strip()


def main() -> None:
    """Ask all, and write the table into the document."""
    import django  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:
        os.environ["METADATA_CENTER_NODE_DATA_DIR"] = f"{folder}/own"
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "metadata_center.settings")
        django.setup()
        text = render(answers(lines(), Path(folder)))
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
