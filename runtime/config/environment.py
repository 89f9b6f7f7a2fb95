# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The environment: which variable sets which member. Read once, at start, from the mapping passed in.

Every member has exactly one variable: the name that existing deployments use, or else
`METADATA_CENTER_<SECTION>_<KEY>`. An empty variable counts as unset.
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


def read_environment(environ: Mapping[str, str], members: Iterable[Member]) -> Iterator[ChosenValue]:
    """Read the values of `members` in the environment.

    Raises ConfigError for a bad value, or an unknown variable with our prefix.
    """
    known = {variable(member): member for member in members}
    for name, text in sorted(environ.items()):
        if not text or _SERVICE_LINK.fullmatch(f"{name}={text}"):
            continue
        if name in known:
            member = known[name]
            value = [item for item in map(str.strip, text.split(",")) if item] if member.is_list else text
            try:
                yield ChosenValue(member, member.convert(value, strict=False), f"environment {name}")
            except ValueError as problem:
                raise ConfigError(f"environment {name}: {problem}") from None
        elif name.startswith(PREFIX) and name != CONFIG_FILE:
            raise ConfigError(f"environment {name}: unknown variable{_suggestion(name, known.values())}")


def _by_rule(member: Member) -> str:
    # GCInterval is GC_INTERVAL: a word starts at a capital after a small letter, or before one.
    key = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", member.key)
    return f"{PREFIX}{member.section}_{key}".upper()


def _suggestion(name: str, members: Iterable[Member]) -> str:
    # Names by the rule are suggested for members with old names, too. The common prefix is left out of the comparison.
    names = {name: variable(member) for member in members for name in (_by_rule(member), variable(member))}
    return did_you_mean(name.removeprefix(PREFIX), {name.removeprefix(PREFIX): known for name, known in names.items()})
