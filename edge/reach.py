# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which clusters a call may be about, if its caller's key names some. Without state; any thread.

Handlers ask only if `call.caller` is not None, so calls without a key pay for one comparison. What is called most
asks only if the caller's key names clusters at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from edge.caller import Caller
from edge.errors import Forbidden

ClusterOf = Callable[[str], str | None]
"""Returns the cluster of a request; None if the request is unknown."""


def check_cluster(caller: Caller, cluster: str) -> None:
    """Raise Forbidden if the caller may not name this cluster."""
    if caller.clusters and not caller.may_name(cluster):
        raise Forbidden(f"cluster: {cluster!r} is not one of {caller.name}'s clusters, {_listed(caller)}")


def check_request(caller: Caller, request_id: str, cluster_of: ClusterOf) -> None:
    """Raise Forbidden if a request is in a cluster that the caller may not name. An unknown one may become anything."""
    if caller.clusters:
        cluster = cluster_of(request_id)
        if cluster is not None and not caller.may_name(cluster):
            raise Forbidden(f"request_id: its cluster is not one of {caller.name}'s clusters, {_listed(caller)}")


def check_all(caller: Caller, what: str) -> None:
    """Raise Forbidden if a call is about all clusters, and the caller may name only some."""
    if caller.clusters:
        raise Forbidden(f"{what} is about all clusters, and {caller.name} may name only {_listed(caller)}")


def within(caller: Caller | None, clusters: Iterable[str]) -> list[str]:
    """Return those of the clusters that the caller may name."""
    if caller is None or not caller.clusters:
        return list(clusters)
    return [each for each in clusters if caller.may_name(each)]


def _listed(caller: Caller) -> str:
    return ", ".join(caller.clusters)
