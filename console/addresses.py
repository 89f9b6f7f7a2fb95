# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The addresses of pages about one thing. A page that this node lacks has the address "". Django's threads."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from django.urls import NoReverseMatch, reverse


def page_address(name: str) -> str:
    """Return the address of a page by the name of its URL; empty if there is none."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def cluster_address(cluster: str) -> str:
    """Return a cluster's page. Every character of the name is quoted that could mean something in a path."""
    return f"{reverse('console:clusters')}{quote(cluster, safe='')}/"


def engine_address(cluster: str, engine: str) -> str:
    """Return an engine's page."""
    return _asked("console:engine", cluster=cluster, engine=engine)


def request_address(request_id: str) -> str:
    """Return a request's page."""
    return _asked("console:request", id=request_id)


def gateway_address(owner: str) -> str:
    """Return the page that shows a gateway; empty if there is none."""
    return _asked("console:gateways", owner=owner)


def _asked(name: str, **query: str) -> str:
    address = page_address(name)
    return address and f"{address}?{urlencode(query)}"
