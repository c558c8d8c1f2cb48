"""Which instance of an api a client is bound to: the decisions, without clock, socket, thread or gRPC.

The rules are those of `clients/cpp/binding.h`, under the same names; a change belongs into both.
"""

import collections
import dataclasses
import enum
import hashlib
import math
import random
from typing import Iterable, Iterator, Optional

from radix.backoff import Backoff

CANDIDATES_MAX = 16384  # more are not looked at
CONNECTING_MAX = 4  # at once


@dataclasses.dataclass(frozen=True)
class Candidate:
    """An instance that may be called, as the registry tells of it."""

    inst: str  # for example "galumph2_3"
    net_id: str  # for example "127.88.0.2:38815"
    node: str
    draining: bool = False


class Kind(enum.Enum):
    """What the owner of a Binding has to do."""

    CONNECT = "open `connection` to `candidate`; report on_serving, on_draining or on_broken"
    BIND = "new calls go through `connection`, to `candidate`"
    UNBIND = "new calls go nowhere; `connection` is that of the last BIND"
    DROP = "forget `connection`; calls in flight may end on it"


@dataclasses.dataclass(frozen=True)
class Act:
    kind: Kind
    connection: int
    candidate: Optional[Candidate] = None


@dataclasses.dataclass(frozen=True)
class Options:
    """Times are in seconds."""

    node: str  # the client's own; its instances come first among equals
    client: str  # tells this client from others, to spread them; for example "n1/4711"
    connect_limit: float = 2.0  # then an attempt has failed
    stagger: float = 0.1  # before the next best is tried beside one that does not answer
    retry_first: float = 0.1
    retry_most: float = 5.0
    stable: float = 10.0  # a connection that lived as long makes up for earlier failures


@dataclasses.dataclass(eq=False)
class _Entry:
    inst: str
    net_id: str
    weight: int
    backoff: Backoff
    node: str = ""
    listed: bool = False  # by the registry
    draining: bool = False  # says the registry
    said_draining: bool = False  # says the instance itself
    connection: int = 0
    ready: bool = False  # the connection works
    since: float = 0.0  # when it was begun, or became ready
    failed: bool = False  # lately, so the back-off counts
    not_before: float = -math.inf  # the next attempt

    @property
    def wanted(self) -> bool:
        return self.listed and not self.draining and not self.said_draining


class Binding:
    """Keeps one client bound to the best instance that it can reach: the lexicographically greatest inst.

    Among equals that is one of the client's own node, then a stable choice that differs from client to client
    (rendezvous hashing). A better instance is connected to first and bound only when that worked. Until then, and as
    long as nothing else can be reached, the client stays where it is: also when the instance drains or is no longer
    listed, because a working connection is better evidence than a registry that restarts.

    Its owner reports what happens and then carries out what `poll` says. Connections are numbers, never 0, never used
    twice; `now` is in seconds and never goes back. Not thread-safe.
    """

    def __init__(self, options: Options, seed: int):
        self._options = options
        self._dice = random.Random(seed)
        self._entries: dict[str, dict[str, _Entry]] = {}  # by net_id, then by inst
        self._connected: dict[int, _Entry] = {}
        self._count = 0
        self._last = 0
        self._last_attempt = -math.inf
        self._acts: collections.deque[Act] = collections.deque()  # at most a few for each entry
        self.bound = 0  # the connection that calls go through; 0 for none
        self.next_time = math.inf  # when `poll` has something to do without any news

    def put(self, candidate: Candidate) -> None:
        """The registry's news: the instance is there or has changed; any other inst at its address is gone thereby."""
        there = self._entries.setdefault(candidate.net_id, {})
        for other in there.values():
            other.listed = False
        entry = there.get(candidate.inst) or self._added(candidate, there)
        if entry is not None:
            entry.node = candidate.node
            entry.listed = True
            entry.draining = candidate.draining

    def remove(self, inst: str, net_id: str) -> None:
        """The registry's news: the instance is gone."""
        entry = self._entries.get(net_id, {}).get(inst)
        if entry is not None:
            entry.listed = False

    def replace(self, candidates: Iterable[Candidate]) -> None:
        """The registry's news: these are all."""
        candidates = list(candidates)
        for entry in self._all():
            entry.listed = False
        for candidate in candidates:  # known ones keep their back-off
            self.put(candidate)
        self._erase_unlisted()
        for candidate in candidates:  # now there is room for the rest
            self.put(candidate)

    def on_serving(self, connection: int, now: float) -> None:
        """The connection works, and the instance takes calls. Here and below, news of dropped ones are ignored."""
        entry = self._connected.get(connection)
        if entry is None:
            return
        entry.said_draining = False
        if not entry.ready:
            entry.ready = True
            entry.since = now

    def on_draining(self, connection: int, now: float) -> None:
        """The instance says that it takes no new calls."""
        entry = self._connected.get(connection)
        if entry is None:
            return
        entry.said_draining = True
        if not entry.ready:
            self._acts.append(Act(Kind.DROP, connection))
            self._fail(entry, now)

    def on_broken(self, connection: int, now: float) -> None:
        """The connection could not be made, or has ended."""
        entry = self._connected.get(connection)
        if entry is None:
            return
        if connection == self.bound:
            self._acts.append(Act(Kind.UNBIND, connection))
            self.bound = 0
        self._acts.append(Act(Kind.DROP, connection))
        self._fail(entry, now)

    def poll(self, now: float) -> Optional[Act]:
        """The next thing to do. Call until None, after all of the above and at `next_time`."""
        if not self._acts:
            self.next_time = math.inf
            self._bind_best()
            self._drop_unneeded(now)
            self._connect_next(now)
            self._erase_unlisted()
        return self._acts.popleft() if self._acts else None

    def _all(self) -> Iterator[_Entry]:
        for there in self._entries.values():
            yield from there.values()

    def _added(self, candidate: Candidate, there: dict) -> Optional[_Entry]:
        if self._count >= CANDIDATES_MAX:
            return None
        text = f"{self._options.client}\0{candidate.net_id}".encode()
        weight = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
        backoff = Backoff(self._options.retry_first, self._options.retry_most, self._dice)
        entry = there[candidate.inst] = _Entry(candidate.inst, candidate.net_id, weight, backoff)
        self._count += 1
        return entry

    def _rank(self, entry: _Entry) -> tuple:
        """Greater is better; no two are equal."""
        return entry.wanted, entry.inst, entry.node == self._options.node, entry.weight, entry.net_id

    def _fail(self, entry: _Entry, now: float) -> None:
        """Forgets the connection and decides when the next attempt may be."""
        was_ready = entry.ready
        if was_ready and now >= entry.since + self._options.stable:
            entry.failed = False
            entry.backoff.reset()
        # One that worked is replaced at once; if that breaks too, with pauses.
        at_once = was_ready and not entry.failed
        entry.not_before = now if at_once else now + entry.backoff.next()
        entry.failed = True
        entry.said_draining = False  # the next attempt asks again
        self._forget_connection(entry)

    def _disconnect(self, entry: _Entry, now: float) -> None:
        self._acts.append(Act(Kind.DROP, entry.connection))
        if entry.said_draining:  # asked again after a pause
            entry.said_draining = False
            entry.not_before = now + entry.backoff.next()
        self._forget_connection(entry)

    def _forget_connection(self, entry: _Entry) -> None:
        del self._connected[entry.connection]
        entry.connection = 0
        entry.ready = False

    def _bind_best(self) -> None:
        """Binds to the best of those that are ready."""
        ready = [each for each in self._connected.values() if each.ready]
        fit = [each for each in ready if each.wanted or each.connection == self.bound]
        best = max(fit, key=self._rank, default=None)
        if best is None or best.connection == self.bound:
            return
        self.bound = best.connection
        self._acts.append(Act(Kind.BIND, self.bound, Candidate(best.inst, best.net_id, best.node, not best.wanted)))

    def _drop_unneeded(self, now: float) -> None:
        """Ends what is not bound and would not be bound if it worked, and attempts that take too long."""
        bound = self._connected.get(self.bound)
        for entry in list(self._connected.values()):
            if entry is bound:
                continue
            limit = entry.since + self._options.connect_limit
            if not entry.wanted or (bound is not None and self._rank(bound) > self._rank(entry)):
                self._disconnect(entry, now)
            elif now >= limit:
                self._acts.append(Act(Kind.DROP, entry.connection))
                self._fail(entry, now)
            else:
                self.next_time = min(self.next_time, limit)

    def _connect_next(self, now: float) -> None:
        """Begins a connection to the best instance that has none and is better than the bound one."""
        bound = self._connected.get(self.bound)
        free = [each for each in self._all() if each.connection == 0 and each.wanted]
        if bound is not None:
            free = [each for each in free if self._rank(each) > self._rank(bound)]
        due = [each for each in free if each.not_before <= now]
        self.next_time = min([self.next_time, *(each.not_before for each in free if each.not_before > now)])
        connecting = len(self._connected) - (bound is not None)
        if not due or connecting >= CONNECTING_MAX:
            return
        if connecting > 0 and now < self._last_attempt + self._options.stagger:
            self.next_time = min(self.next_time, self._last_attempt + self._options.stagger)
            return
        self._last_attempt = now
        self._connect(max(due, key=self._rank), now)

    def _connect(self, entry: _Entry, now: float) -> None:
        self._last += 1
        entry.connection = self._last
        entry.ready = False
        entry.since = now
        self._connected[entry.connection] = entry
        self._acts.append(Act(Kind.CONNECT, entry.connection, Candidate(entry.inst, entry.net_id, entry.node)))

    def _erase_unlisted(self) -> None:
        for net_id, there in list(self._entries.items()):
            for inst, entry in list(there.items()):
                if not entry.listed and entry.connection == 0:
                    del there[inst]
                    self._count -= 1
            if not there:
                del self._entries[net_id]
