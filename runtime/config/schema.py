# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The configuration's shape: one frozen tree, built once at start and handed to the parts.

Every field says what it trades. Members are named in the file as in the original's `config.toml` (`[HTTP] CertFile`),
in Python as `config.http.cert_file`. Durations are `*_seconds` in Python and Go durations (`500ms`, `1m30s`) in files
and environment.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(ge=0)]
PositiveSeconds = Annotated[float, Meta(gt=0)]
Weight = Annotated[float, Meta(ge=0.0, le=1_000_000.0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Positive = Annotated[int, Meta(ge=1)]

LogTarget = Literal["stdout", "stderr", "file"]


class Http(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The API's listener. `Port = 0` takes a free port."""

    host: str = field(default="0.0.0.0", name="Host")  # noqa: S104 gateways come from other machines
    port: Port = field(default=8080, name="Port")
    cert_file: str = field(default="", name="CertFile")
    key_file: str = field(default="", name="KeyFile")
    # One body: 10,000 operations of a batch are about 1.5 MB.
    max_body_bytes: Positive = field(default=4 * 1024 * 1024, name="MaxBodyBytes")
    max_header_bytes: Positive = field(default=32 * 1024, name="MaxHeaderBytes")
    # From a request's first byte to its last: what a slow or vanished client may hold.
    read_timeout_seconds: PositiveSeconds = field(default=10.0, name="ReadTimeout")
    # A kept connection without a request. Longer than gateway pools keep theirs, so that they close first.
    idle_timeout_seconds: PositiveSeconds = field(default=600.0, name="IdleTimeout")
    # A client that does not read its answer.
    write_timeout_seconds: PositiveSeconds = field(default=30.0, name="WriteTimeout")
    # After SIGTERM: at most this long with /readyz 503 and open requests, then the process ends.
    drain_timeout_seconds: Seconds = field(default=5.0, name="DrainTimeout")
    # Calls that wait for a change (`wait=SECONDS`). Each holds a connection and, with it, 13 KB.
    max_waiters: Positive = field(default=1000, name="MaxWaiters")


class PProf(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Profiles on a port of their own, on loopback unless told otherwise: a stack names files and functions."""

    enable: bool = field(default=True, name="Enable")
    host: str = field(default="127.0.0.1", name="Host")
    port: Port = field(default=8081, name="Port")


class Log(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Application and access log. `Level`: 1 fatal, 2 error, 3 warn, 4 info, 5 debug, 6 trace."""

    level: Annotated[int, Meta(ge=1, le=6)] = field(default=4, name="Level")
    format: Literal["text", "json"] = field(default="text", name="Format")
    output: LogTarget = field(default="stdout", name="Output")
    output_file: str = field(default="", name="OutputFile")
    rotation_count: Positive = field(default=7, name="RotationCount")
    rotation_hours: Positive = field(default=24, name="RotationTime")
    access_output: Literal["stdout", "stderr", "file", "off"] = field(default="stdout", name="AccessOutput")
    access_output_file: str = field(default="", name="AccessOutputFile")


class Load(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ledger: how long things are kept and how many."""

    gc_interval_seconds: PositiveSeconds = field(default=60.0, name="GCInterval")
    # A request that nobody ended, and an engine that nobody used.
    request_expire_seconds: PositiveSeconds = field(default=660.0, name="RequestExpire")
    # An ended request is remembered this long, so that a late or repeated call finds it. Longer than any retry.
    tombstone_seconds: PositiveSeconds = field(default=60.0, name="TombstoneExpire")
    # About 300 bytes each; past it an add is refused with 429.
    max_requests: Positive = field(default=4_000_000, name="MaxRequests")
    max_engines: Positive = field(default=100_000, name="MaxEngines")
    # Requests whose gateway has fallen silent still count for this long.
    orphan_grace_seconds: PositiveSeconds = field(default=30.0, name="OrphanGrace")
    max_owners: Annotated[int, Meta(ge=1, le=80_000)] = field(default=10_000, name="MaxOwners")


class KVCache(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The index of which engines hold which prompts in their caches."""

    # False: the calls are answered, nothing is kept and nothing found.
    enable: bool = field(default=True, name="Enable")
    # Between two rounds of expiry, which also free what was dropped.
    gc_interval_seconds: PositiveSeconds = field(default=10.0, name="GCInterval")
    # A prompt that nobody sent again. Engines evict too, and nobody tells: too long a time promises what is gone.
    block_expire_seconds: PositiveSeconds = field(default=3600.0, name="BlockExpire")
    # Each block counts once for every engine that holds it. About 100 bytes for the first engine, 10 for any other;
    # past it the blocks go that were not used for longest.
    max_blocks: Positive = field(default=4_000_000, name="MaxBlocks")
    # 65,536 blocks of 512 bytes are about 8 million tokens.
    max_engine_blocks: Positive = field(default=65_536, name="MaxEngineBlocks")


class Pick(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How `POST /v1/load/pick` chooses, where a call does not say. The weights are the AIGW gateway's."""

    # The caller of `load` knows the names.
    policy: str = field(default="score", name="Policy")
    # The larger one is, the more sticky are prompts that begin alike, or the flatter are requests or prompts spread.
    cache_ratio: Weight = field(default=2.0, name="CacheRatio")
    request_load: Weight = field(default=1.0, name="RequestLoad")
    prefill_load: Weight = field(default=3.0, name="PrefillLoad")
    # One of so many of the best is taken at random: nodes that know the same do not all choose the same engine.
    share: Share = field(default=0.05, name="Share")


class Discovery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where peers are looked up: by DNS (`Host`), in a list (`Hosts`) or by a class of the user's. None: no peers."""

    host: str = field(default="", name="Host")
    # Whom to ask for Host instead of the system's nameservers, and without its search domains.
    nameservers: tuple[str, ...] = field(default=(), name="Nameservers")
    hosts: tuple[str, ...] = field(default=(), name="Hosts")
    class_path: str = field(default="", name="Class")
    interval_seconds: PositiveSeconds = field(default=5.0, name="Interval")
    # Of a whole look-up. Below Interval, so that a dead nameserver does not cost turns.
    lookup_timeout_seconds: PositiveSeconds = field(default=2.0, name="LookupTimeout")
    # While look-ups fail or find nothing. Twice as long as a CoreDNS in Kubernetes keeps a "no such name" (30 s), so
    # that neither that nor a DNS server's restart parts the nodes; a peer that is gone costs refused connections.
    grace_seconds: Seconds = field(default=60.0, name="GraceTime")


class Replication(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How peers are spoken to."""

    target_port: Annotated[int, Meta(ge=1, le=65535)] = field(default=80, name="TargetPort")
    dial_timeout_seconds: PositiveSeconds = field(default=0.5, name="DialTimeout")
    request_timeout_seconds: PositiveSeconds = field(default=1.0, name="RequestTimeout")
    idle_timeout_seconds: PositiveSeconds = field(default=300.0, name="IdleConnTimeout")
    keepalive_seconds: PositiveSeconds = field(default=10.0, name="KeepAlivePeriod")
    max_idle_connections: Positive = field(default=1024, name="MaxIdleConns")
    # Lets in peers whose addresses discovery does not know: behind address translation, say.
    secret: str = field(default="", name="Secret")
    # A starting node is not ready until it has caught up with a peer, or for this long: load that is incomplete is
    # better than none.
    join_timeout_seconds: PositiveSeconds = field(default=10.0, name="JoinTimeout")
    # Between two looks at what differs between peers. Each costs 8 KB and 0.2 ms.
    reconcile_interval_seconds: PositiveSeconds = field(default=1.0, name="ReconcileInterval")


class Sockets(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Live load over websockets, for people's pages."""

    # A socket gets at most one message in this time: the shorter, the more of them, each with fewer engines.
    interval_seconds: PositiveSeconds = field(default=0.1, name="Interval")
    # One costs about 25 µs of CPU a message.
    max_clients: Positive = field(default=1000, name="MaxClients")
    # Clients need not say anything.
    max_message_bytes: Positive = field(default=4096, name="MaxMessageBytes")
    # A client that does not answer a ping in PingTimeout is gone.
    ping_interval_seconds: PositiveSeconds = field(default=20.0, name="PingInterval")
    ping_timeout_seconds: PositiveSeconds = field(default=20.0, name="PingTimeout")
    # Sites whose pages may open sockets here, beside this node's own: "https://ops.example.com", or "*" for any.
    origins: tuple[str, ...] = field(default=(), name="Origins")
    # Messages go through this Redis instead of this process's memory, where other programs can join the groups.
    redis_url: str = field(default="", name="RedisUrl")
    # Messages of all streams that the channel layer holds; what is more is dropped, and its readers get a snapshot.
    channel_capacity: Positive = field(default=1000, name="ChannelCapacity")


class Celery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The embedded worker and beat. With another broker than `memory://` tasks can be watched from outside."""

    broker: str = field(default="memory://", name="Broker")


class Node(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """This node. `Address` is its own address among the peers; empty: the machine's addresses."""

    address: str = field(default="", name="Address")
    # SQLite for people's accounts, and the key that signs their sessions. Load is never written to disk.
    data_dir: str = field(default="var", name="DataDir")


class Web(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Django's side. Gateways name a node by address, so any Host is allowed unless told otherwise."""

    secret_key: str = field(default="", name="SecretKey")
    allowed_hosts: tuple[str, ...] = field(default=("*",), name="AllowedHosts")
    tls_proxy: bool = field(default=False, name="TLSProxy")
    debug: bool = field(default=False, name="Debug")


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One node's whole configuration."""

    http: Http = field(default=Http(), name="HTTP")
    pprof: PProf = field(default=PProf(), name="PProf")
    log: Log = field(default=Log(), name="Log")
    load: Load = field(default=Load(), name="Load")
    kvcache: KVCache = field(default=KVCache(), name="KVCache")
    pick: Pick = field(default=Pick(), name="Pick")
    discovery: Discovery = field(default=Discovery(), name="Discovery")
    replication: Replication = field(default=Replication(), name="Replication")
    sockets: Sockets = field(default=Sockets(), name="Sockets")
    celery: Celery = field(default=Celery(), name="Celery")
    node: Node = field(default=Node(), name="Node")
    web: Web = field(default=Web(), name="Web")
