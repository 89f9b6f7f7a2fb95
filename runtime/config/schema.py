# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The configuration's shape: one frozen tree, built once at start and handed to the parts.

A comment at a field says what it trades. Files name members as the Go version's `config.toml` does (`[HTTP] CertFile`),
Python as `config.http.cert_file`. Durations are `*_seconds` in Python and Go durations (`500ms`, `1m30s`) in files and
environment.
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


class HttpSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The API's listener. `Port = 0` takes a free port."""

    host: str = field(default="0.0.0.0", name="Host")  # noqa: S104 gateways come from other machines
    port: Port = field(default=8080, name="Port")
    cert_file: str = field(default="", name="CertFile")
    key_file: str = field(default="", name="KeyFile")
    # Signs the certificates of those who call. "optional" lets in callers without one, "required" does not: not even
    # probes, which have none.
    client_ca: str = field(default="", name="ClientCA")
    client_cert: Literal["none", "optional", "required"] = field(default="none", name="ClientCert")
    # One body: 10,000 operations of a batch are about 1.5 MB.
    max_body_bytes: Positive = field(default=4 * 1024 * 1024, name="MaxBodyBytes")
    max_header_bytes: Positive = field(default=32 * 1024, name="MaxHeaderBytes")
    # From a request's first byte to its last, and for a TLS handshake: what a slow or vanished client may hold.
    read_timeout_seconds: PositiveSeconds = field(default=10.0, name="ReadTimeout")
    # A kept connection without a request. Longer than gateway pools keep theirs, so that they close first.
    idle_timeout_seconds: PositiveSeconds = field(default=600.0, name="IdleTimeout")
    # A client that does not read its answer.
    write_timeout_seconds: PositiveSeconds = field(default=30.0, name="WriteTimeout")
    # After SIGTERM: at most this long with /readyz 503 and open requests, then the process ends.
    drain_timeout_seconds: Seconds = field(default=5.0, name="DrainTimeout")
    # Calls that wait for a change (`wait=SECONDS`). Each holds a connection and, with it, 13 KB.
    max_waiters: Positive = field(default=1000, name="MaxWaiters")


class PProfSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Profiles on a port of their own. On loopback by default: a stack names files and functions."""

    enable: bool = field(default=True, name="Enable")
    host: str = field(default="127.0.0.1", name="Host")
    port: Port = field(default=8081, name="Port")
    # With the certificate of [HTTP], and the certificates of clients that it asks for.
    tls: bool = field(default=False, name="TLS")


class LogSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Application and access log. `Level`: 1 fatal, 2 error, 3 warn, 4 info, 5 debug, 6 trace."""

    level: Annotated[int, Meta(ge=1, le=6)] = field(default=4, name="Level")
    format: Literal["text", "json"] = field(default="text", name="Format")
    output: LogTarget = field(default="stdout", name="Output")
    output_file: str = field(default="", name="OutputFile")
    rotation_count: Positive = field(default=7, name="RotationCount")
    rotation_hours: Positive = field(default=24, name="RotationTime")
    access_output: Literal["stdout", "stderr", "file", "off"] = field(default="stdout", name="AccessOutput")
    access_output_file: str = field(default="", name="AccessOutputFile")


class LoadSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ledger: how long things are kept and how many."""

    gc_interval_seconds: PositiveSeconds = field(default=60.0, name="GCInterval")
    # A request that was not ended, and an engine that was not used.
    request_expire_seconds: PositiveSeconds = field(default=660.0, name="RequestExpire")
    # An ended request is remembered this long, so that a late or repeated call finds it. Longer than any retry.
    tombstone_seconds: PositiveSeconds = field(default=60.0, name="TombstoneExpire")
    # About 300 bytes each; past it an add is refused with 429.
    max_requests: Positive = field(default=4_000_000, name="MaxRequests")
    max_engines: Positive = field(default=100_000, name="MaxEngines")
    # Requests whose gateway has fallen silent still count for this long.
    orphan_grace_seconds: PositiveSeconds = field(default=30.0, name="OrphanGrace")
    max_owners: Annotated[int, Meta(ge=1, le=80_000)] = field(default=10_000, name="MaxOwners")


class MetricsSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What Prometheus scrapes."""

    # Each has four samples, about 500 bytes; with the longest names of clusters 5 KB.
    max_engines: Positive = field(default=5_000, name="MaxEngines")
    # Each has five samples, about 500 bytes.
    max_owners: Positive = field(default=100, name="MaxOwners")


class KVCacheSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The index of which engines hold which prompts in their caches."""

    # False: the calls are answered, but nothing is kept or found.
    enable: bool = field(default=True, name="Enable")
    # Between two rounds of expiry, which also free what was dropped.
    gc_interval_seconds: PositiveSeconds = field(default=10.0, name="GCInterval")
    # A prompt that was not sent again. Engines evict without a report, so a long time promises what is gone.
    block_expire_seconds: PositiveSeconds = field(default=3600.0, name="BlockExpire")
    # Each block counts once for every engine that holds it: about 100 bytes for the first engine, 10 for any other.
    # Past the bound the least recently used blocks are removed.
    max_blocks: Positive = field(default=4_000_000, name="MaxBlocks")
    # 65,536 blocks of 512 bytes are about 8 million tokens.
    max_engine_blocks: Positive = field(default=65_536, name="MaxEngineBlocks")
    # Engines in the answer to a query that does not say.
    top_k: Annotated[int, Meta(ge=1, le=1000)] = field(default=10, name="TopK")


class PickSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How `POST /v1/load/pick` chooses if a call does not say. The weights are the AIGW gateway's."""

    # The caller of `load` knows the names.
    policy: str = field(default="score", name="Policy")
    # A large cache ratio keeps prompts that begin alike together; a large load weight spreads requests or prompts.
    cache_ratio: Weight = field(default=2.0, name="CacheRatio")
    request_load: Weight = field(default=1.0, name="RequestLoad")
    prefill_load: Weight = field(default=3.0, name="PrefillLoad")
    # A random one of this share of the best is taken, so that nodes that know the same do not all choose one engine.
    share: Share = field(default=0.05, name="Share")
    # Of `least_tokens`'s sum, in the gateway's unit of prompt length: what a request costs beside its prompt.
    request_tokens: Weight = field(default=250.0, name="RequestTokens")
    # Changes what a row's prompt_length means where gateways send prompt_hash.
    uncached: bool = field(default=False, name="Uncached")
    # In which a newcomer's weight grows. It gets less to do for it, so a fleet that needs it at once waits longer.
    slow_start_seconds: Seconds = field(default=0.0, name="SlowStart")
    # A longer one keeps conversations together whose prompts the engine may have forgotten.
    session_idle_seconds: Seconds = field(default=600.0, name="SessionIdle")
    # After an end with `"outcome": "error"`; doubled after each further one. Longer ones waste engines that rarely err.
    cool_down_seconds: Seconds = field(default=1.0, name="CoolDown")


class DiscoverySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where peers are looked up: by DNS (`Host`), in a list (`Hosts`) or by a class of the user's. Unset: no peers."""

    host: str = field(default="", name="Host")
    # Asked for Host instead of the system's nameservers, without search domains.
    nameservers: tuple[str, ...] = field(default=(), name="Nameservers")
    hosts: tuple[str, ...] = field(default=(), name="Hosts")
    class_path: str = field(default="", name="Class")
    interval_seconds: PositiveSeconds = field(default=5.0, name="Interval")
    # Of a whole look-up. Below Interval, so that a dead nameserver does not cost turns.
    lookup_timeout_seconds: PositiveSeconds = field(default=2.0, name="LookupTimeout")
    # While look-ups fail or find nothing. Twice as long as CoreDNS in Kubernetes keeps a "no such name" (30 s), so that
    # neither that nor a restart of DNS separates the nodes. A peer that is gone costs refused connections.
    grace_seconds: Seconds = field(default=60.0, name="GraceTime")


class ReplicationSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How peers are spoken to."""

    target_port: Annotated[int, Meta(ge=1, le=65535)] = field(default=80, name="TargetPort")
    dial_timeout_seconds: PositiveSeconds = field(default=0.5, name="DialTimeout")
    request_timeout_seconds: PositiveSeconds = field(default=1.0, name="RequestTimeout")
    idle_timeout_seconds: PositiveSeconds = field(default=300.0, name="IdleConnTimeout")
    keepalive_seconds: PositiveSeconds = field(default=10.0, name="KeepAlivePeriod")
    max_idle_connections: Positive = field(default=1024, name="MaxIdleConns")
    # Lets in peers whose addresses discovery does not know, for example behind address translation.
    secret: str = field(default="", name="Secret")
    # What this node shows to peers that ask for a certificate, if it is another than that of [HTTP].
    cert_file: str = field(default="", name="CertFile")
    key_file: str = field(default="", name="KeyFile")
    # Signs what peers show when they are called; empty: [HTTP] ClientCA.
    peer_ca: str = field(default="", name="PeerCA")
    # A certificate makes its holder a peer if it has one of these names; empty: whatever its names. To be set where
    # one authority signs for nodes and for others.
    peer_names: tuple[str, ...] = field(default=(), name="PeerNames")
    # A key with the scope `replicate`, which peers that know it let in from any address. It is sent as it is: use TLS.
    key: str = field(default="", name="Key")
    # A Valkey or Redis that holds the events of all nodes, in place of pushes from node to node or beside them.
    log: str = field(default="", name="Log")
    # Nodes with the same name share one log. Several deployments may have one server.
    log_name: str = field(default="metadata-center", name="LogName")
    # A starting node is not ready until it has caught up with a peer, or for this long. Incomplete load is better than
    # no load.
    join_timeout_seconds: PositiveSeconds = field(default=10.0, name="JoinTimeout")
    # A stopping node waits at most this long for its peers to acknowledge what it answered 200. It ends on top of
    # DrainTimeout; without slow peers it takes some milliseconds.
    flush_timeout_seconds: Seconds = field(default=3.0, name="FlushTimeout")
    # Between two looks at what differs between peers. Each costs 8 KB and 0.2 ms.
    reconcile_interval_seconds: PositiveSeconds = field(default=1.0, name="ReconcileInterval")


class SocketsSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Live load over websockets, for people's pages."""

    # A socket gets at most one message in this time: the shorter, the more of them, each with fewer engines.
    interval_seconds: PositiveSeconds = field(default=0.1, name="Interval")
    # One costs about 25 µs of CPU a message.
    max_clients: Positive = field(default=1000, name="MaxClients")
    # Clients need not send anything.
    max_message_bytes: Positive = field(default=4096, name="MaxMessageBytes")
    # A client that does not answer a ping in PingTimeout is disconnected.
    ping_interval_seconds: PositiveSeconds = field(default=20.0, name="PingInterval")
    ping_timeout_seconds: PositiveSeconds = field(default=20.0, name="PingTimeout")
    # Sites whose pages may open sockets here, beside this node's own: "https://ops.example.com", or "*" for any.
    origins: tuple[str, ...] = field(default=(), name="Origins")
    # Messages go through this Redis instead of this process's memory, where other programs can join the groups.
    redis_url: str = field(default="", name="RedisUrl")
    # Messages of all streams that the channel layer holds. More are dropped, and their readers get a snapshot.
    channel_capacity: Positive = field(default=1000, name="ChannelCapacity")


class QuotasSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one client may take: a key, or an address without one.

    The defaults are far above what a large gateway needs, which is about 1,024 connections and 25,000 calls a second.
    Several gateways may share an address behind a NAT.
    """

    # Also those in a TLS handshake. An idle one costs 13 KB, with TLS about 50 KB.
    connections: Positive = field(default=16_384, name="Connections")
    # A node answers about 45,000 a second, so by default the turns that clients take are the limit, and not this.
    calls_per_second: Positive = field(default=100_000, name="CallsPerSecond")
    # Calls with `wait=SECONDS`.
    waits: Positive = field(default=1_000, name="Waits")
    sockets: Positive = field(default=500, name="Sockets")
    # Pages asked for and not answered yet.
    pages: Positive = field(default=32, name="Pages")
    # Of every cap, once more than half of it is used: what one client may hold of it. Of what is replicated, divided by
    # the number of nodes.
    share: Annotated[float, Meta(gt=0.0, le=1.0)] = field(default=0.25, name="Share")


class CelerySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The embedded worker and beat. With another broker than `memory://` tasks can be watched from outside."""

    broker: str = field(default="memory://", name="Broker")


class NodeSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """This node. `Address` is its own address among the peers; empty: the machine's addresses."""

    address: str = field(default="", name="Address")
    # Where people reach this node's console, if not at its own address: through an ingress, for example. Peers' pages
    # link to it.
    console_url: str = field(default="", name="ConsoleUrl")
    # SQLite for people's accounts, the key that signs their sessions, and the snapshot.
    data_dir: str = field(default="var", name="DataDir")
    # Load outlives the node's restart, in DataDir: about 100 bytes a request twice, and what is reported in a minute.
    snapshot: bool = field(default=True, name="Snapshot")


class AuthSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may do what. By default load calls are open to all, and what changes the node to this machine and keys."""

    # True: every call needs a key or a log-in, also from this machine. /livez, /readyz and /version stay open.
    required: bool = field(default=False, name="Required")
    # Keys by their digests, one file for all nodes, beside those of the database. Read again when it changes.
    keys_file: str = field(default="", name="KeysFile")
    # Networks whose addresses may change the node without a key. Name no proxy's: everybody behind it would be in.
    operate_from: tuple[str, ...] = field(default=(), name="OperateFrom")
    # This machine may change the node without a key, unless a proxy passes the call on.
    trust_loopback: bool = field(default=True, name="TrustLoopback")


class WebSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Django's side, and the names of the node."""

    # Accounts, sessions and the admin's log of all nodes. Empty: SQLite in DataDir, of this node alone.
    database: str = field(default="", name="Database")
    # With a Database and without a key of its own, the key is kept there, so that all nodes have the same.
    secret_key: str = field(default="", name="SecretKey")
    # Names that public DNS could give, in `Host`. All others are fine: edge/hosts.py.
    allowed_hosts: tuple[str, ...] = field(default=(), name="AllowedHosts")
    tls_proxy: bool = field(default=False, name="TLSProxy")
    # A log-in without a page asked for ends after the first, any log-in after the second.
    session_idle_seconds: PositiveSeconds = field(default=2 * 3600.0, name="SessionIdle")
    session_max_seconds: PositiveSeconds = field(default=12 * 3600.0, name="SessionMax")
    # Wrong passwords of one account from one address; four times as many of one account, and from one address.
    log_in_tries: Annotated[int, Meta(ge=1, le=1000)] = field(default=5, name="LogInTries")
    log_in_pause_seconds: PositiveSeconds = field(default=15 * 60.0, name="LogInPause")
    # Browsers that had a page over TLS take nothing else from this host for so long.
    hsts_seconds: Seconds = field(default=3600.0, name="HSTS")
    # Pages that are made at a time. Making one is computing: two at a time are no sooner done than one after the other,
    # and calls wait longer for the interpreter: nine of ten, under a flood on a busy machine, 20 ms for 9.
    page_threads: Annotated[int, Meta(ge=1, le=64)] = field(default=1, name="PageThreads")
    # Pages that wait for one of the threads. More are refused with 503.
    page_queue: Positive = field(default=64, name="PageQueue")
    debug: bool = field(default=False, name="Debug")


class AuditSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The audit trail's table in the database of accounts. The log has every line in any case."""

    # About 500 bytes each.
    max_entries: Positive = field(default=100_000, name="MaxEntries")
    max_age_seconds: PositiveSeconds = field(default=2160 * 3600.0, name="MaxAge")


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One node's whole configuration."""

    http: HttpSettings = field(default=HttpSettings(), name="HTTP")
    pprof: PProfSettings = field(default=PProfSettings(), name="PProf")
    log: LogSettings = field(default=LogSettings(), name="Log")
    load: LoadSettings = field(default=LoadSettings(), name="Load")
    metrics: MetricsSettings = field(default=MetricsSettings(), name="Metrics")
    kvcache: KVCacheSettings = field(default=KVCacheSettings(), name="KVCache")
    pick: PickSettings = field(default=PickSettings(), name="Pick")
    discovery: DiscoverySettings = field(default=DiscoverySettings(), name="Discovery")
    replication: ReplicationSettings = field(default=ReplicationSettings(), name="Replication")
    sockets: SocketsSettings = field(default=SocketsSettings(), name="Sockets")
    quotas: QuotasSettings = field(default=QuotasSettings(), name="Quotas")
    celery: CelerySettings = field(default=CelerySettings(), name="Celery")
    node: NodeSettings = field(default=NodeSettings(), name="Node")
    auth: AuthSettings = field(default=AuthSettings(), name="Auth")
    web: WebSettings = field(default=WebSettings(), name="Web")
    audit: AuditSettings = field(default=AuditSettings(), name="Audit")
