# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Bounds on wrong passwords, counted by django-axes in the accounts' database and so for all nodes together.

Runs on the log-in thread. Three sums are bounded: of one account from one address, of one account from all addresses,
and from one address of all accounts. The first is small. The others are four times as large: a stranger at one address
cannot keep a person out, and a guess cannot be repeated from everywhere.

What it costs: one row for each pair of account and address that failed within `LogInPause`, two indexed sums before a
password is looked at, a write for each wrong one. A refused log-in is one sum and hashes nothing.
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Q, Sum
from django.http import HttpRequest, HttpResponse

from edge.errors import TooMany
from edge.pages import problem_response

WIDER = 4
UNKNOWN = "0.0.0.0"  # noqa: S104 a client without an address, compared with and not bound


class LogInTries(AxesDatabaseHandler):  # type: ignore[misc] # untyped
    """Axes' handler with our bounds. It keeps nothing between two log-ins."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Return how many of the bounds are reached: axes refuses from 1 on (`AXES_FAILURE_LIMIT`)."""
        account = Q(username=get_client_username(request, credentials))
        address = Q(ip_address=request.axes_ip_address)  # type: ignore[attr-defined] # axes sets it
        failures = "failures_since_start"
        since = get_cool_off_threshold(request)
        sums = AccessAttempt.objects.filter(account | address, attempt_time__gte=since).aggregate(
            both=Sum(failures, filter=account & address),
            account=Sum(failures, filter=account),
            address=Sum(failures, filter=address),
        )
        tries: int = settings.LOG_IN_TRIES
        bounds = {"both": tries, "account": WIDER * tries, "address": WIDER * tries}
        return sum((sums[name] or 0) >= bound for name, bound in bounds.items())

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
    ) -> None:
        """Count a wrong password. Axes has a row for each user agent, which the client chooses: for us all are one."""
        if request is not None:
            request.axes_user_agent = ""  # type: ignore[attr-defined] # axes reads it
        super().user_login_failed(sender, credentials, request, **kwargs)


def client_address(request: HttpRequest) -> str:
    """Return the address that tries are counted for: of IPv6 the network of 64 bits, which one client has whole.

    Behind a proxy (`[Web] TLSProxy`) it is the last of `X-Forwarded-For`, which the proxy itself has added.
    """
    address = str(request.META.get("REMOTE_ADDR") or "")
    if settings.SECURE_PROXY_SSL_HEADER is not None:
        address = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip() or address
    try:
        parsed = ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or ip_network((parsed, 64), strict=False).network_address)
    return str(parsed)


def refusal(request: HttpRequest, response: HttpResponse, credentials: dict[str, Any]) -> HttpResponse:
    """Return the answer to a log-in that is not looked at. It says the same of accounts that do not exist."""
    seconds = int(settings.AXES_COOLOFF_TIME.total_seconds())
    wait = f"{seconds // 60} minutes" if seconds >= 120 else f"{seconds} seconds"
    refused = problem_response(request, TooMany(f"too many wrong passwords: log-ins are refused here for {wait}"))
    refused["Retry-After"] = str(seconds)
    return refused
