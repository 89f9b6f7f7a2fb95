# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What each client takes of the edge, and what it may: connections, calls, waiting calls, websockets, pages.

Owned by the event loop; the scraping thread reads plain numbers. A client is known for as long as it holds a
connection, and then until its bucket of calls is full again, a second or two. So clients are bounded as connections
are.
"""

from __future__ import annotations

import logging
from asyncio import get_running_loop
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from time import perf_counter_ns

from edge.account import Account
from edge.client import client_of
from edge.places import Places
from runtime.config.schema import QuotasSettings

logger = logging.getLogger("edge.quotas")

SHARE_NS = 1_000_000  # of a turn of the loop; then a client with more to do waits for the next
PAUSE_NS = 1_000_000_000  # a connection over the limit is not read for so long
NOTICE_NS = 60_000_000_000  # between two reports of refusals of one kind and client
CAPS = "caps"  # the kind of refusals by what the node holds, rather than by what the edge counts
MOST_NOTED = 1000  # kinds and clients whose last report is remembered


class Quotas:
    """The accounts of all clients, and their places.

    `connections`, `waits`, `sockets`, `pages`: the places that clients hold.
    `scrapes`, `log_ins`: pages with threads of their own.
    `calls_refused`: calls beyond the limit.
    `on_refused`: called with the kind, the client and the reason of a refusal, once a minute for a kind and client.

    `caps`: places of all clients together, by kind, where there is such a bound.
    `clock`: nanoseconds that never go back, as the lane's.
    """

    def __init__(
        self,
        settings: QuotasSettings,
        caps: Mapping[str, int] | None = None,
        *,
        clock: Callable[[], int] = perf_counter_ns,
    ) -> None:
        def places(kind: str, setting: str, most: int) -> Places:
            return Places(
                kind,
                setting,
                most,
                cap=(caps or {}).get(kind),
                share=settings.share,
                on_refusal=self.note_refusal,
            )

        self.connections = places("connections", "Connections", settings.connections)
        self.waits = places("waits", "Waits", settings.waits)
        self.sockets = places("sockets", "Sockets", settings.sockets)
        self.pages = places("pages", "Pages", settings.pages)
        self.scrapes = places("scrapes", "Pages", settings.pages)
        self.log_ins = places("log-ins", "Pages", settings.pages)
        self.calls_refused = 0
        self._rate = settings.calls_per_second
        self._clock = clock
        self._accounts: dict[str, Account] = {}
        self._idle: OrderedDict[str, Account] = OrderedDict()  # without a connection, the longest first
        self._turn_ns = 0  # when the first look of this turn of the loop was; 0 before it
        self._spent: list[Account] = []
        self._paused: deque[tuple[int, Callable[[], None]]] = deque()
        self._logged: set[str] = set()
        self._noted: dict[tuple[str, str], int] = {}
        self.on_refused: Callable[[str, str, str], None] = lambda kind, client, reason: None

    # Connections

    def admit(self, address: str) -> Account | None:
        """Take a connection of an address. Returns its client's account, None if the client has its most."""
        client = client_of(address)
        return None if self.connections.try_take(client) else self._account(client)

    def enter(self, address: str) -> Account:
        """Take a connection that is there already, whatever the limits."""
        client = client_of(address)
        self.connections.take(client)
        return self._account(client)

    def move(self, account: Account, client: str) -> Account | None:
        """Charge a connection of one client to another. Returns the other's account, None if that has its most."""
        if client == account.client:
            return account
        if self.connections.try_take(client):
            return None
        self.leave(account)
        return self._account(client)

    def leave(self, account: Account) -> None:
        """Give a connection back."""
        client = account.client
        self.connections.give_back(client)
        if not self.connections.held(client):
            self._idle[client] = account

    def _account(self, client: str) -> Account:
        self._idle.pop(client, None)
        account = self._accounts.get(client)
        if account is None:
            account = self._accounts[client] = Account(client, self._rate, self._clock())
        return account

    # Calls

    def check(self, account: Account) -> bool:
        """Look at an account whose calls are due. Returns whether its last call is within the limit.

        An account that is looked at late in a turn of the loop is spent for the rest of it, if there are other clients.
        """
        now_ns = self._clock()
        if len(self._accounts) > 1:
            if not self._turn_ns:
                self._begin_turn(now_ns)
            elif now_ns - self._turn_ns >= SHARE_NS:
                self._spend(account)
        if account.look(now_ns):
            return True
        self.calls_refused += 1
        if self._is_news("calls", account.client, now_ns):
            self._note("calls", account.client, self.excess(account), now_ns)
        return False

    def spend(self, account: Account) -> None:
        """Let a client's further calls wait for the next turn of the loop, if there are other clients.

        For what takes as long as a turn may: a websocket's handshake takes a millisecond.
        """
        if len(self._accounts) > 1:
            if not self._turn_ns:
                self._begin_turn(self._clock())
            self._spend(account)

    def _spend(self, account: Account) -> None:
        if not account.spent:
            account.spent = True
            self._spent.append(account)

    def _begin_turn(self, now_ns: int) -> None:
        self._turn_ns = now_ns
        get_running_loop().call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._turn_ns = 0
        for account in self._spent:
            account.spent = False
        self._spent.clear()

    def excess(self, account: Account) -> str:
        """Return the reason of a call beyond the limit."""
        most = self._rate
        return f"calls: {account.client} makes more than {most} a second, the most: [Quotas] CallsPerSecond"

    def pause(self, go_on: Callable[[], None]) -> None:
        """Call `go_on` when a connection whose client is over its limit may be read again."""
        self._paused.append((self._clock() + PAUSE_NS, go_on))

    # From the server's timer

    def sweep(self) -> None:
        """Let connections go on whose pause is over, and forget clients that have gone."""
        now_ns = self._clock()
        while self._paused and self._paused[0][0] <= now_ns:
            self._paused.popleft()[1]()
        while self._idle:
            client, account = next(iter(self._idle.items()))
            if not account.full(now_ns):
                break
            del self._idle[client], self._accounts[client]

    # For operators

    def kinds(self) -> tuple[Places, ...]:
        """Return the kinds of places."""
        return self.connections, self.waits, self.sockets, self.pages, self.scrapes, self.log_ins

    def accounts(self) -> list[Account]:
        """Return the accounts of all clients that are known now."""
        return list(self._accounts.values())

    def note_refusal(self, kind: str, client: str, reason: str) -> None:
        """Log the first refusal of a kind, and report that of a kind and client once a minute. More are counted."""
        now_ns = self._clock()
        if self._is_news(kind, client, now_ns):
            self._note(kind, client, reason, now_ns)

    def _is_news(self, kind: str, client: str, now_ns: int) -> bool:
        noted_ns = self._noted.get((kind, client))
        return noted_ns is None or now_ns - noted_ns >= NOTICE_NS

    def _note(self, kind: str, client: str, reason: str, now_ns: int) -> None:
        if len(self._noted) >= MOST_NOTED:
            self._noted.clear()
        self._noted[kind, client] = now_ns
        self.on_refused(kind, client, reason)
        if kind not in self._logged:
            self._logged.add(kind)
            logger.warning("%s. Refused. Further refusals of this kind are only counted (GET /v1/node/clients)", reason)
