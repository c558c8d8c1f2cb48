"""What is behind `connect`: keeps one client connected to the best instance."""

import dataclasses
import itertools
import logging
import os
import random
import threading
import time
from typing import Callable, Optional

from radix.binding import Act, Binding, Candidate, Kind, Options
from radix.instance_watch import InstanceWatch
from radix.link import Link
from radix.network import Network
from radix.no_instance import NoInstance
from radix.registry.v1 import registry_pb2
from radix.trust.v1 import pairing_pb2

KEY_PERIOD = 12 * 3600.0  # seconds; then another key takes its place
REPLACEMENT_LIMIT = 10.0  # within which it must serve
NAP_MOST = 60.0  # between two looks at what is due

_log = logging.getLogger("radix")
_numbers = itertools.count(1)


@dataclasses.dataclass(frozen=True)
class Bound:
    """The instance that calls go to."""

    inst: str
    net_id: str
    node: str


class Connector:
    """Carries out what a Binding decides: watches reeve, opens links, and follows each through its server's health
    stream, which tells in one what is to be known: that the connection works, that the instance drains, that the
    connection broke. Thread-safe.

    `on_rebound(bound)` is called on the connector's own thread. Lock order: this one's, then a link's; it holds none
    when it calls what may take another.
    """

    def __init__(
        self,
        network: Network,
        selector: registry_pb2.Selector,
        wait: float,
        rescan: float,
        on_rebound: Optional[Callable[[Bound], None]],
    ):
        self._network = network
        self._selector = selector
        self._wait = wait
        self._on_rebound = on_rebound
        client = f"{network.node}/{os.getpid()}/{next(_numbers)}"
        self._lock = threading.Lock()
        self._route_changed = threading.Condition(self._lock)  # for callers
        self._news = threading.Condition(self._lock)  # for the connector's thread
        self._binding = Binding(Options(node=network.node, client=client), random.getrandbits(64))
        self._links: dict[int, Link] = {}
        self._key_due: dict[int, float] = {}  # of each link: when another key is to take its key's place
        # Links that are to take the place of those with the same number, and until when they may try.
        self._replacements: dict[int, tuple[Link, float]] = {}
        self._route: Optional[Link] = None
        self._doubted = 0  # a call on it found nobody: no other goes there until it was asked
        self._last_failure = ""
        self._binds = 0
        self._closed = False
        network.introductions.hold()
        self._watch = InstanceWatch(network.state, selector, rescan, self._on_delta)
        self._thread = threading.Thread(target=self._run, name="radix-connector", daemon=True)
        self._thread.start()

    def begin_call(self, limit: Optional[float] = None) -> Link:
        """The link for a new call, which has to `end_call` it. Waits while there is none, at most `limit` seconds and
        at most the time that the connector was given; then raises NoInstance."""
        end = time.monotonic() + (self._wait if limit is None else min(self._wait, limit))
        with self._lock:
            while True:
                if self._closed:
                    raise ValueError("this connection was closed: connect again")
                link = self._route
                if link is not None and (link.connection != self._doubted or self._wait == 0):
                    if link.begin_call():
                        return link
                    # A break may show in the channel before the health stream tells of it.
                    self._break(link.connection, "the connection broke")
                    continue
                left = end - time.monotonic()
                if left <= 0:
                    raise NoInstance(self._why_none())
                self._route_changed.wait(left)

    def doubt(self, link: Link) -> None:
        """A call on it ended with UNAVAILABLE, and its caller is about to hear of it. A broken connection shows in the
        channel and in the health stream a little later: until it is asked, no other call may follow."""
        with self._lock:
            if self._closed or self._links.get(link.connection) is not link or self._doubted == link.connection:
                return
            self._doubted = link.connection
        link.probe(lambda answers, reason: self._on_probed(link, answers, reason))

    @property
    def bound(self) -> Optional[Bound]:
        with self._lock:
            return None if self._route is None else self._route.bound

    @property
    def rebinds(self) -> int:
        with self._lock:
            return max(0, self._binds - 1)

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            links = [*self._links.values(), *(link for link, _ in self._replacements.values())]
            self._links.clear()
            self._replacements.clear()
            self._route = None
            self._news.notify_all()
            self._route_changed.notify_all()
        self._watch.stop()
        for link in links:
            link.leave()
        self._network.introductions.let_go()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=1)  # so that on_rebound is not called any more; unless it hangs in there

    # What links tell. What an earlier link still says is of no interest.

    def on_health(self, link: Link, serves: bool) -> None:
        old = None
        with self._lock:
            if self._is_replacement(link):
                old = self._take_replacement(link)
            if self._links.get(link.connection) is not link:
                return
            say = self._binding.on_serving if serves else self._binding.on_draining
            say(link.connection, time.monotonic())
            self._news.notify()
        if old is not None:
            old.leave()

    def on_broken(self, link: Link, reason: str) -> None:
        failed = False
        with self._lock:
            if self._is_replacement(link):  # what fails to take another's place changes nothing
                del self._replacements[link.connection]
                failed = True
            elif self._links.get(link.connection) is link:
                self._break(link.connection, reason)
        if failed:
            link.leave()

    def on_due(self, link: Link) -> None:
        with self._lock:
            if self._links.get(link.connection) is link:
                self._key_due[link.connection] = time.monotonic()
                self._news.notify()

    # The connector's thread.

    def _run(self) -> None:
        while True:
            with self._lock:
                if self._closed:
                    return
                todo, next_time = self._decide(time.monotonic())
                if not todo:
                    self._news.wait(min(NAP_MOST, max(0.0, next_time - time.monotonic())))
            for each in todo:
                each()

    def _decide(self, now: float) -> tuple:
        """What is to be done without the lock, and when to look again."""
        todo = []
        while act := self._binding.poll(now):
            todo += self._carry_out(act, now)
        todo += self._renew_keys(now)
        for connection, (link, limit) in list(self._replacements.items()):
            if now >= limit:
                del self._replacements[connection]
                todo.append(link.leave)
        limits = (limit for _, limit in self._replacements.values())
        return todo, min([self._binding.next_time, *self._key_due.values(), *limits])

    def _carry_out(self, act: Act, now: float) -> list:
        if act.kind is Kind.CONNECT:
            candidate = act.candidate
            link = self._make_link(act.connection, Bound(candidate.inst, candidate.net_id, candidate.node))
            self._links[act.connection] = link
            self._key_due[act.connection] = now + KEY_PERIOD
            return [link.open]
        if act.kind is Kind.BIND:
            return self._bind_to(act.connection)
        if act.kind is Kind.UNBIND:
            if self._route is not None and self._route.connection == act.connection:
                self._route = None
            return []
        return self._drop(act.connection)

    def _make_link(self, connection: int, bound: Bound) -> Link:
        network, selector = self._network, self._selector
        pair = pairing_pb2.Pair(
            horde=network.horde,
            service=network.service,
            net_id=bound.net_id,
            meant_horde=selector.horde,
            meant_api=selector.api,
            meant_inst=bound.inst,
        )
        return Link(self, connection, bound, network.introductions, pair)

    def _bind_to(self, connection: int) -> list:
        # It may have broken since this was decided; then other acts follow.
        link = self._links.get(connection)
        if link is None or self._binding.bound != connection:
            return []
        self._route = link
        self._binds += 1
        self._route_changed.notify_all()
        return [lambda: self._tell(link.bound)] if self._on_rebound else []

    def _tell(self, bound: Bound) -> None:
        try:
            self._on_rebound(bound)
        except Exception:  # pylint: disable=broad-except
            _log.exception("on_rebound failed; the connection goes on")

    def _drop(self, connection: int) -> list:
        self._key_due.pop(connection, None)
        dropped = [self._links.pop(connection, None), self._replacements.pop(connection, (None,))[0]]
        return [link.leave for link in dropped if link is not None]

    def _renew_keys(self, now: float) -> list:
        """Opens another connection, by another key, to where each leads whose key is due."""
        todo = []
        for connection, due in self._key_due.items():
            if now < due:
                continue
            self._key_due[connection] = now + KEY_PERIOD
            if connection not in self._replacements:
                link = self._make_link(connection, self._links[connection].bound)
                self._replacements[connection] = (link, now + REPLACEMENT_LIMIT)
                todo.append(link.open)
        return todo

    def _is_replacement(self, link: Link) -> bool:
        return self._replacements.get(link.connection, (None,))[0] is link

    def _take_replacement(self, link: Link) -> Link:
        """It serves: new calls go there, and those in flight end where they are, on the one that is returned."""
        del self._replacements[link.connection]
        old = self._links[link.connection]
        self._links[link.connection] = link
        if self._route is old:
            self._route = link
        return old

    def _break(self, connection: int, reason: str) -> None:
        self._binding.on_broken(connection, time.monotonic())
        if self._route is not None and self._route.connection == connection:
            self._route = None
        self._last_failure = reason
        self._news.notify()

    def _on_probed(self, link: Link, answers: bool, reason: str) -> None:
        with self._lock:
            if not answers and self._links.get(link.connection) is link:
                self._break(link.connection, reason)
            if self._doubted == link.connection:
                self._doubted = 0
            self._route_changed.notify_all()

    def _on_delta(self, delta: registry_pb2.Delta) -> None:
        with self._lock:
            live = []
            for instance in (change.instance for change in delta.changes):
                if instance.status == registry_pb2.STATUS_DEAD:
                    if not delta.snapshot:
                        self._binding.remove(instance.inst, instance.net_id)
                    continue
                draining = instance.status != registry_pb2.STATUS_SERVING
                live.append(Candidate(instance.inst, instance.net_id, instance.node, draining))
                if not delta.snapshot:
                    self._binding.put(live[-1])
            if delta.snapshot:
                self._binding.replace(live)
            self._news.notify()

    def _why_none(self) -> str:
        selector = self._selector
        what = f"api {selector.api}" if selector.api else f"inst {selector.inst}"
        reason = f"no live instance of {what} in horde {selector.horde}"
        if watch_error := self._watch.error():
            return f"{reason}; this node's reeve: {watch_error}"
        if self._last_failure:
            return f"{reason}; last failure: {self._last_failure}"
        return reason
