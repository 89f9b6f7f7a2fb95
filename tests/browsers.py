# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A browser's side of the admin: cookies and forms over real HTTP, against any of several nodes."""

from __future__ import annotations

from collections.abc import Callable
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from time import monotonic, sleep
from urllib.parse import urlencode

from tests.nodes import CALL_SECONDS, NodeProcess

LOG_IN = "/admin/login/"


def patiently(ask: Callable[[], int]) -> int:
    """The status of what needs the accounts' database, asked again while it is 503.

    A node gives the database two seconds for a statement and three for a page. On a busy machine one that is well may
    need more. For tests that are not about a database that is away.
    """
    ends = monotonic() + CALL_SECONDS
    while (status := ask()) == 503 and monotonic() < ends:
        sleep(0.1)  # between two tries, not in place of one
    return status


class Visitor:
    """A person with one set of cookies for all nodes, as behind a load balancer.

    `cookies`: their values. `set_cookies`: the line that set each last.
    `status`, `headers`, `text`: of the last answer.
    """

    def __init__(self, **headers: str) -> None:
        self.cookies: dict[str, str] = {}
        self.set_cookies: dict[str, str] = {}
        self._headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.status, self.headers, self.text = 0, dict[str, str](), ""

    def get(self, node: NodeProcess, path: str) -> int:
        """Ask for a page. Returns the status."""
        return self._send(node, "GET", path, None)

    def post(self, node: NodeProcess, path: str, **form: str) -> int:
        """Send a form with the token of the last page that had one. Returns the status."""
        token = {"csrfmiddlewaretoken": self.cookies.get("csrftoken", "")}
        return self._send(node, "POST", path, urlencode(token | form).encode())

    def log_in(self, node: NodeProcess, name: str, password: str) -> int:
        """Load the form and send it. Returns the status: 302 if it was right."""
        self.get(node, LOG_IN)
        return self.post(node, LOG_IN, username=name, password=password, next="/admin/")

    def log_out(self, node: NodeProcess) -> int:
        """Send the form of the log-out. Returns the status."""
        return self.post(node, "/admin/logout/")

    def _send(self, node: NodeProcess, method: str, path: str, body: bytes | None) -> int:
        headers = {"Accept": "text/html", "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = HTTPConnection(node.host, node.port, timeout=CALL_SECONDS)
        try:
            connection.request(method, path, body, headers | self._headers)
            response = connection.getresponse()
            self.status, self.text = response.status, response.read().decode()
            self.headers = {name.lower(): value for name, value in response.getheaders()}
            for line in response.headers.get_all("Set-Cookie") or ():
                for name, morsel in SimpleCookie(line).items():
                    self.cookies[name] = morsel.value
                    self.set_cookies[name] = line
            return self.status
        finally:
            connection.close()
