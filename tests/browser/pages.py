# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The one list of all pages that a node has for people. A route that is neither here nor in `NOT_PAGES` fails a test.

Tests open each of them on a node that is full (`fill`) and on one that is empty. Names in paths are what `fill` makes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from tests.clusters import ClusterNode
from tests.nodes import ROOT, inherited_environment, put_accounts

NAME, PASSWORD = "boss", "correct horse battery staple"

CLUSTER = "qwen3-235b-a22b"
LONG_CLUSTER = "a-cluster-of-a-long-name-" * 9
ENGINE = "[2001:db8:85a3:8d3:1319:8a2e:370:7348]:8000/3"
ADDRESS = "2001:db8:85a3:8d3:1319:8a2e:370:7348"
REQUEST = "chatcmpl-9f3b61d0"
SILENT = "gateway-silent"
KEY = "benchmark"

_cluster, _engine = quote(CLUSTER), quote(ENGINE)


class Page(NamedTuple):
    """One page. `ready` is what is true in the browser once it is whole, beside being loaded."""

    path: str
    ready: str = "true"


LIVE = "document.getElementById('sign').dataset.state === 'live'"
UNFOLDED = "document.querySelectorAll('.opblock').length > 20"

CONSOLE = (
    Page("/"),
    Page("/console/", LIVE),
    Page("/console/?refresh=off&sort=name&order=asc"),
    Page("/console/?filter=nothing-like-it", LIVE),
    Page(f"/console/clusters/{_cluster}/", LIVE),
    Page(f"/console/clusters/{_cluster}/?range=1h&only=orphaned", LIVE),
    Page(f"/console/clusters/{_cluster}/?refresh=off"),
    Page(f"/console/clusters/{LONG_CLUSTER}/", LIVE),
    Page("/console/clusters/nobody/", LIVE),
    Page("/console/gateways/", LIVE),
    Page(f"/console/gateways/?cluster={_cluster}&order=oldest", LIVE),
    Page("/console/gateways/?owner=nobody", LIVE),
    Page("/console/nodes/", LIVE),
    Page("/console/events/", LIVE),
    Page("/console/events/?kind=engine_dropped&text=nothing-like-it", LIVE),
    Page("/console/search/"),
    Page(f"/console/search/?q={ADDRESS[:9]}"),
    Page("/console/search/?q=nothing-like-it"),
    Page(f"/console/engine/?cluster={_cluster}&engine={_engine}", LIVE),
    Page("/console/engine/?cluster=nobody&engine=10.0.0.1", LIVE),
    Page("/console/request/"),
    Page(f"/console/request/?id={REQUEST}", LIVE),
    Page("/console/request/?id=unknown", LIVE),
    Page("/console/metrics/"),
    Page("/console/metrics/?q=load"),
    Page("/console/metrics/?q=nothing-like-it"),
    Page("/nowhere"),
)

API = (
    *(
        Page(f"/{path}")
        for path in (
            "v1/load/stats",
            "v1/load/pick",
            "v1/load/prompt",
            "v1/load/tokens",
            "v1/load/refresh",
            "v1/load/owner",
            "v1/load/owners",
            "v1/load/batch",
            "v1/load/engine",
            "v1/load/clusters",
            "v1/load/history",
            "v1/load/request",
            "v1/cache/save",
            "v1/cache/query",
            "v1/cache",
            "v1/replica/event",
            "v1/replica/peers",
            "livez",
            "readyz",
            "version",
            "log/level",
            "v1/node/clients",
            "v1/events",
        )
    ),
    Page(f"/v1/load/stats?cluster={_cluster}"),
    Page("/v1/load/history?cluster=nobody"),
    Page("/v1/load/owners?order=wrong"),
    Page("/docs/", UNFOLDED),
)

# The first ones are of somebody who is not signed in.
LOG_IN = (Page("/admin/login/"), Page("/admin/"), Page(f"/admin/loadstats/request/?request_id={REQUEST}"))

ADMIN = tuple(
    Page(f"/admin/{path}")
    for path in (
        "",
        "password_change/",
        "password_change/done/",
        "auth/",
        "loadstats/",
        "auth/user/",
        "auth/user/?q=nobody",
        "auth/user/add/",
        "auth/user/1/change/",
        "auth/user/1/password/",
        "auth/user/1/history/",
        "auth/user/1/delete/",
        "auth/group/",
        "auth/group/add/",
        "auth/group/1/change/",
        "auth/group/1/history/",
        "auth/group/1/delete/",
        "metadata_center/auditentry/",
        "metadata_center/auditentry/?q=nothing-like-it",
        "metadata_center/auditentry/1/change/",
        "metadata_center/auditentry/1/history/",
        "metadata_center/auditentry/add/",
        "metadata_center/auditentry/1/delete/",
        "metadata_center/setting/",
        "admin/logentry/",
        "admin/logentry/1/change/",
        "admin/logentry/1/history/",
        "admin/logentry/add/",
        "admin/logentry/1/delete/",
        "axes/accessattempt/",
        "axes/accessattempt/1/change/",
        "axes/accessattempt/1/history/",
        "axes/accessattempt/1/delete/",
        "axes/accessattempt/add/",
        "metadata_center/node/",
        "metadata_center/node/set_log_level/?level=WARN",
        "metadata_center/task/",
        "metadata_center/task/run_task/?name=expire",
        "loadstats/cluster/",
        "loadstats/engine/",
        f"loadstats/engine/?cluster={_cluster}",
        "loadstats/engine/?cluster=nobody",
        f"loadstats/engine/forget_engine/?cluster={_cluster}&ip={_engine}",
        "loadstats/request/",
        f"loadstats/request/?request_id={REQUEST}",
        f"loadstats/request/?cluster={_cluster}&phase=prefill",
        "loadstats/request/?request_id=nobody",
        f"loadstats/request/end_request/?request_id={REQUEST}",
        f"loadstats/request/end_requests/?cluster={_cluster}",
        "replication/peer/",
        "replication/peer/resync_peer/?name={peer}",
        "access/accesskey/",
        "access/accesskey/add/",
        f"access/accesskey/revoke_accesskey/?name={KEY}",
        "nowhere/",
    )
)

ALL = (*CONSOLE, *API, *LOG_IN, *ADMIN)

NOT_PAGES = {
    "console/attention/": "JSON for the overview's script",
    "console/clusters/": "leads to the overview",
    "console/<cluster:name>/": "leads to the cluster's page",
    "schema/": "the document itself, as YAML or JSON",
    "metrics": "text for Prometheus",
    "admin/search/": "a part of a page, for the sidebar's search, which is off",
    "admin/logout/": "takes a form and leads to the log-in",
    "admin/autocomplete/": "JSON for forms",
    "admin/jsi18n/": "a script",
    "admin/r/<path:content_type_id>/<path:object_id>/": "leads to the address of a model, which none has",
    "admin/auth/user/<path:object_id>/": "leads to the page of the change",
    "admin/auth/group/<path:object_id>/": "leads to the page of the change",
    "admin/metadata_center/auditentry/<path:object_id>/": "leads to the page of the change",
    "admin/admin/logentry/<path:object_id>/": "leads to the page of the change",
    "admin/axes/accessattempt/<path:object_id>/": "leads to the page of the change",
}
"""Routes that answer with no page, and what they are for."""


def make_accounts(folder: Path) -> None:
    """Make the superuser and a key of the node that keeps its files in `folder`, before it starts."""
    put_accounts(folder)
    own = {
        "METADATA_CENTER_NODE_DATA_DIR": str(folder),
        "DJANGO_SUPERUSER_USERNAME": NAME,
        "DJANGO_SUPERUSER_EMAIL": "",
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
    }
    words = [sys.executable, "manage.py", "createsuperuser", "--noinput", "--verbosity", "0"]
    environment = inherited_environment(covered=False) | own
    subprocess.run(words, cwd=ROOT, env=environment, check=True)
    made = [sys.executable, "manage.py", "keys", "create", "--name", KEY, "--scope", "read"]
    subprocess.run(made, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)


def fill(node: ClusterNode) -> None:
    """Give a node something of everything that pages show, the hard cases included: long names, large numbers."""
    node.many(_requests())
    owned = {"cluster": CLUSTER, "request_id": REQUEST, "ip": ADDRESS, "port": 8000, "dp_rank": 3, "owner": SILENT}
    node.call("POST", "/v1/load/stats", owned | {"prompt_length": 2**31 - 1})
    node.call("DELETE", "/v1/load/prompt", {"request_id": REQUEST})
    node.call("PUT", "/v1/load/tokens", {"request_id": REQUEST, "input_tokens": 2**31 - 1, "output_tokens": 54321})
    node.call("PUT", "/v1/load/owner", {"owner": SILENT, "ttl_seconds": 1})
    node.call("PUT", "/v1/load/owner", {"owner": "gateway-1", "ttl_seconds": 3600})
    node.call("POST", "/v1/load/stats", {"cluster": CLUSTER, "request_id": "gone", "ip": "10.9.9.9"})
    node.call("DELETE", "/v1/load/engine", {"cluster": CLUSTER, "ip": "10.9.9.9"})
    saved = {"cluster": CLUSTER, "ip": ADDRESS, "port": 8000, "dp_rank": 3, "prompt_hash": list(range(1, 10))}
    node.call("POST", "/v1/cache/save", saved)


def _requests() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for number in range(120):
        ip = f"2001:db8:85a3:8d3:1319:8a2e:370:{number % 12 + 0x7000:x}" if number % 2 else f"10.20.0.{number % 40}"
        body = {"cluster": CLUSTER, "request_id": f"r{number}", "ip": ip, "prompt_length": 1000 * number}
        yield "POST", "/v1/load/stats", body | {"owner": f"gateway-{number % 4}"}
    for number in range(40):
        body = {"cluster": f"model-{number}", "request_id": f"c{number}", "ip": "10.0.0.1", "prompt_length": 10**9}
        yield "POST", "/v1/load/stats", body
    hot = {"cluster": LONG_CLUSTER, "ip": "10.0.0.1", "owner": "a-gateway-of-a-long-name-" * 4}
    for number in range(30):
        yield "POST", "/v1/load/stats", hot | {"request_id": f"{'a-long-id-' * 20}{number}"}
