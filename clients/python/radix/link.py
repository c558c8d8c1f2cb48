"""A channel to one instance, and its server's health stream."""

import threading
from typing import Callable

import grpc
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from radix.dial import dial_introduced, is_ready
from radix.introductions import Introductions, NotIntroduced
from radix.key import Key
from radix.trust.v1 import pairing_pb2

INTRODUCTION_LIMIT = 5.0  # seconds
PROBE_LIMIT = 1.0  # how long a server has to answer that it is there
SERVING = 1
# On the wire the messages of grpc.health.v1 are these: a text, and a number. Its own modules an application may have
# too, from elsewhere, and protobuf takes one definition of a name in a process.
HEALTH = "/grpc.health.v1.Health/"
HEALTH_CODES = (StringValue.SerializeToString, Int32Value.FromString)
WHOLE_SERVER = StringValue()
ANSWERS = (grpc.StatusCode.OK, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.NOT_FOUND)


class Link:
    """One connection of a Connector, by a key of its own. Its thread introduces the key, connects, follows the health
    stream, and closes the channel when the connector has left it and the last call has ended.

    What happens is told to `owner`: on_health(link, serves), on_broken(link, reason), on_due(link). Thread-safe.
    """

    def __init__(self, owner, connection: int, bound, introductions: Introductions, pair: pairing_pb2.Pair):
        self.connection = connection
        self.bound = bound
        self._owner = owner
        self._introductions = introductions
        self._pair = pair
        self._changed = threading.Condition()
        self._introduction = None
        self._channel = None  # once the server lets it in
        self._health = None  # from then on
        self._methods = {}
        self._calls = 0  # in flight, each with a hold on the channel
        self._left = False

    def open(self) -> None:
        threading.Thread(target=self._run, name=f"radix-link-{self.connection}", daemon=True).start()

    def leave(self) -> None:
        """The owner takes no more interest; calls in flight go on."""
        with self._changed:
            self._left = True
            introduction = self._introduction if self._channel is None else None
            health = self._health
            self._changed.notify_all()
        if introduction is not None:
            introduction.withdraw()
        if health is not None:
            health.cancel()

    def begin_call(self) -> bool:
        """Holds the channel for a call, up to `end_call`. False when it is broken or left."""
        with self._changed:
            if self._left or self._channel is None or not is_ready(self._channel):
                return False
            self._calls += 1
            return True

    def end_call(self) -> None:
        with self._changed:
            self._calls -= 1
            self._changed.notify_all()

    def method(self, kind: str, path: str, codes: tuple):
        """gRPC's own callable, for `kind` of unary_unary and so on. To be used between begin_call and end_call."""
        method = self._methods.get(path)
        if method is None:
            method = self._methods[path] = getattr(self._channel, kind)(path, *codes)
        return method

    def probe(self, done: Callable) -> None:
        """Asks whether the server is there; `done(answers, reason)` is called soon, on any thread."""
        with self._changed:
            gone = self._left or self._channel is None
            self._calls += 0 if gone else 1
        if gone:  # but whoever waits for the answer waits for one
            done(False, "it was left")
            return
        check = self._channel.unary_unary(HEALTH + "Check", *HEALTH_CODES)
        probe = check.future(WHOLE_SERVER, timeout=PROBE_LIMIT)

        def finish(call):
            self.end_call()
            done(call.code() in ANSWERS, call.details())

        probe.add_done_callback(finish)

    def _run(self) -> None:
        key = Key()
        self._pair.key = key.id
        introduction = self._introductions.ask(self._pair, self._on_due)
        with self._changed:
            self._introduction = introduction
            gone = self._left
        try:
            if not gone:
                self._connect(key, introduction)
        except NotIntroduced as error:
            self._owner.on_broken(self, str(error))
        finally:
            introduction.withdraw()

    def _connect(self, key: Key, introduction) -> None:
        channel = dial_introduced(self.bound.net_id, key, introduction.wait(INTRODUCTION_LIMIT))
        try:
            self._follow_health(channel)
            with self._changed:
                # The owner always leaves in the end; a server that is gone ends its calls, and keepalive finds out.
                self._changed.wait_for(lambda: self._left and self._calls == 0)
        finally:
            channel.close()

    def _follow_health(self, channel: grpc.Channel) -> None:
        health = channel.unary_stream(HEALTH + "Watch", *HEALTH_CODES)(WHOLE_SERVER)
        with self._changed:
            self._channel = channel
            self._health = health
            if self._left:
                health.cancel()
        reason = "the server ended its health stream"
        try:
            for response in health:
                self._owner.on_health(self, response.value == SERVING)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                # It has no health service, but it answers. That it broke, begin_call finds out.
                self._owner.on_health(self, True)
                return
            reason = error.details()
        self._owner.on_broken(self, reason)

    def _on_due(self, reason) -> None:
        """Another key is due; or, with a reason, the server is not to be called any more."""
        if reason is None:
            self._owner.on_due(self)
        else:
            self._owner.on_broken(self, reason)
