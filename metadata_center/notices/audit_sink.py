# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Reports what operators do, from the audit trail's lines. Any thread.

Who did it, and with which values, stays in the audit trail: more people may read events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from edge.audit import AuditLine, AuditSink, Outcome
from runtime.notices.kind import Kind
from runtime.notices.log import NoticeLog

OWN_ACTS: Final = frozenset({"node started", "log-in", "log-out"})
"""What is reported elsewhere, or happens every day."""
SET_LEVEL: Final = "POST /log/level"
DROP: Final = "DELETE /v1/load/engine"


class NoticeSink:
    """A sink of audit lines in front of another one.

    `next_sink`: gets every line.
    """

    def __init__(self, log: NoticeLog, next_sink: AuditSink) -> None:
        self._log = log
        self._next_sink = next_sink

    def put(self, line: AuditLine) -> None:
        """Report what the line says, and pass it on."""
        self._next_sink.put(line)
        if line.outcome is Outcome.REFUSED:
            self._log.report(Kind.OPERATOR_REFUSED, f"Refused: {line.act}. The audit trail says why", item=line.act)
        elif line.act not in OWN_ACTS:
            self._report(line.act, line.outcome, _read(line.what))

    def _report(self, act: str, outcome: Outcome, what: Mapping[str, Any]) -> None:
        if outcome is Outcome.FAILED:
            self._log.report(Kind.OPERATOR_ACT, f"Failed halfway: {act}. The log says why", item=act)
        elif act == SET_LEVEL:
            level = _members(what.get("body")).get("LevelParam", "another one")
            self._log.report(Kind.LOG_LEVEL_CHANGED, f"The log level is now {level}")
        elif act == DROP:
            self._report_drop(_members(what.get("body")), _members(what.get("answer")).get("ended"))
        elif acts := [each for each in what.get("acts", ()) if isinstance(each, dict)]:
            for each in acts:
                self._report_drop(each, None)
        else:
            target = next((str(what[name]) for name in ("name", "peer", "request_id") if what.get(name)), "")
            about = f" of {target}" if target else ""
            cluster = what.get("cluster")
            self._log.report(
                Kind.OPERATOR_ACT,
                f"An operator did this: {act.replace('_', ' ')}{about}",
                item=act,
                cluster=cluster if isinstance(cluster, str) else "",
            )

    def _report_drop(self, members: Mapping[str, Any], ended: object) -> None:
        cluster, engine = str(members.get("cluster", "")), str(members.get("ip", ""))
        if members.get("port") is not None:
            engine = f"[{engine}]:{members['port']}" if ":" in engine else f"{engine}:{members['port']}"
        if members.get("dp_rank") is not None:
            engine = f"{engine}/{members['dp_rank']}"
        requests = "" if ended is None else f". Requests in flight that ended with it: {ended}"
        self._log.report(
            Kind.ENGINE_DROPPED,
            f"Engine {engine} of cluster {cluster} was dropped{requests}",
            cluster=cluster,
            engine=engine,
        )


def _read(what: str) -> Mapping[str, Any]:
    try:
        return _members(msgspec.json.decode(what))
    except ValueError:
        return {}


def _members(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
