# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The environment: which variable sets which member. Read once, at start, from the mapping passed in.

Every member has one variable: the name that existing deployments use, or else `METADATA_CENTER_<SECTION>_<KEY>`. A few
have a second name. An empty variable counts as unset.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from runtime.config.error import ConfigError, did_you_mean
from runtime.config.member import ChosenValue, Member

PREFIX = "METADATA_CENTER_"
# Names the file if the command line does not. It is not a member of the configuration.
CONFIG_FILE = "METADATA_CENTER_CONFIG"

OLD_NAMES = {
    "Node.Address": "POD_IP",
    "Discovery.Host": "META_DATA_CENTER_SVC_DISC_HOST",
    "Discovery.Nameservers": "META_DATA_CENTER_SVC_DISC_NAMESERVERS",
    "Discovery.Interval": "REPLICA_DNS_LOOKUP_INTERVAL",
    "Replication.TargetPort": "REPLICA_CLIENT_TARGET_PORT",
    "Replication.DialTimeout": "REPLICA_CLIENT_DIAL_TIMEOUT",
    "Replication.RequestTimeout": "REPLICA_CLIENT_REQUEST_TIMEOUT",
    "Replication.IdleConnTimeout": "REPLICA_CLIENT_IDLE_CONN_TIMEOUT",
    "Replication.KeepAlivePeriod": "REPLICA_CLIENT_KEEPALIVE_PERIOD",
    "Replication.MaxIdleConns": "REPLICA_CLIENT_MAX_IDLE_CONNS",
    "Replication.Secret": "REPLICA_SECRET",
    "Load.GCInterval": "METADATA_CENTER_LOAD_GC_INTERVAL",
    "Load.RequestExpire": "METADATA_CENTER_LOAD_REQ_EXPIRE",
}

# Variables of a newer line of the Go version, beside those of the rule.
SECOND_NAMES = {
    "KVCache.GCInterval": "METADATA_CENTER_CACHE_GC_INTERVAL",
    "KVCache.BlockExpire": "METADATA_CENTER_CACHE_EXPIRE",
    "KVCache.TopK": "METADATA_CENTER_CACHE_TOPK",
}

# Variables of the Go version that mean nothing here, and what to use instead.
WITHOUT_EFFECT = {"METADATA_CENTER_DEBUG_MODE": "METADATA_CENTER_LOG_LEVEL=5 logs for debugging"}

# What Kubernetes puts into every pod of a namespace for each Service in it ("service links"). Names begin with the
# Service's, which may be metadata-center, metadata-center-0 or metadata-center-http. A name that ends in _PORT counts
# only with such a URL: if a person sets METADATA_CENTER_PORT to 8080, the error suggests METADATA_CENTER_HTTP_PORT.
_SERVICE_LINK = re.compile(
    r"[A-Z0-9_]+_(SERVICE_HOST=.*|SERVICE_PORT(_[A-Z0-9_]+)?=.*|PORT=(tcp|udp|sctp)://.*"
    r"|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?=.*)",
    re.DOTALL,
)


def variable(member: Member) -> str:
    """Return the name of the variable that sets the member."""
    return OLD_NAMES.get(member.path) or _by_rule(member)


def variables(member: Member) -> tuple[str, ...]:
    """Return the names of all variables that set the member, the first of which is `variable(member)`."""
    second = SECOND_NAMES.get(member.path)
    return (variable(member),) if second is None else (variable(member), second)


def notes(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return one line for each variable that is accepted and has no effect."""
    return tuple(
        f"environment {name}: accepted, without effect; {instead}"
        for name, instead in WITHOUT_EFFECT.items()
        if environ.get(name)
    )


def read_environment(environ: Mapping[str, str], members: Iterable[Member]) -> Iterator[ChosenValue]:
    """Read the values of `members` in the environment.

    Raises ConfigError for a bad value, two variables of one member that differ, or an unknown variable with our prefix.
    """
    known = {name: member for member in members for name in variables(member)}
    first: dict[str, tuple[str, object]] = {}
    for name, text in sorted(environ.items()):
        if not text or _SERVICE_LINK.fullmatch(f"{name}={text}"):
            continue
        if name in known:
            member = known[name]
            value = [item for item in map(str.strip, text.split(",")) if item] if member.is_list else text
            try:
                converted = member.convert(value, strict=False)
            except ValueError as problem:
                raise ConfigError(f"environment {name}: {problem}") from None
            twin, meant = first.setdefault(member.path, (name, converted))
            if meant != converted:
                raise ConfigError(f"environment {name}: differs from {twin}, which means the same; keep one")
            yield ChosenValue(member, converted, f"environment {name}")
        elif name.startswith(PREFIX) and name != CONFIG_FILE and name not in WITHOUT_EFFECT:
            raise ConfigError(f"environment {name}: unknown variable{_suggestion(name, known.values())}")


def _by_rule(member: Member) -> str:
    # GCInterval is GC_INTERVAL: a word starts at a capital after a small letter, or before one.
    key = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", member.key)
    return f"{PREFIX}{member.section}_{key}".upper()


def _suggestion(name: str, members: Iterable[Member]) -> str:
    # Names by the rule are suggested for members with old names, too. The common prefix is left out of the comparison.
    names = {name: variable(member) for member in members for name in (_by_rule(member), *variables(member))}
    return did_you_mean(name.removeprefix(PREFIX), {name.removeprefix(PREFIX): known for name, known in names.items()})
