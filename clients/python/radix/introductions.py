"""The keys with which this process calls others."""

import threading
import time
from typing import Callable, Optional

import grpc

from radix.lasting_stream import LastingStream
from radix.outbox import Outbox
from radix.trust.v1 import pairing_pb2, pairing_pb2_grpc

FORBIDDEN = grpc.StatusCode.PERMISSION_DENIED.value[0]


class NotIntroduced(Exception):
    """An endpoint did not let a key in; the text says why."""


class Introduction:
    """A key that was asked for. To be withdrawn when it is not used any more."""

    def __init__(self, introductions: "Introductions", pair: pairing_pb2.Pair, on_due: Callable):
        self._introductions = introductions
        self.pair = pair
        self.on_due = on_due
        self.admission: Optional[pairing_pb2.Admission] = None
        self.withdrawn = False

    def wait(self, limit: float) -> list:
        """The certificates that the endpoint shows, in PEM, once it lets the key in; within `limit` seconds."""
        return self._introductions.wait(self, limit)

    def withdraw(self) -> None:
        """Has the endpoint forget the key, which ends what goes on by it. Who waits for it is told."""
        self._introductions.withdraw(self)


class Introductions:
    """Has endpoints let keys of this process in, by way of this node's reeve, for as long as they are used.

    All go over one stream, which is there while somebody holds it: each key does, and each connection, so that the
    next key finds it open. Thread-safe.
    """

    def __init__(self, state):
        self._state = state
        self._changed = threading.Condition()
        self._asked: dict[str, Introduction] = {}  # by key
        self._holds = 0
        self._stream: Optional[LastingStream] = None
        self._outbox: Optional[Outbox] = None  # of the call that is there now
        self._error = ""  # of the way to reeve

    def hold(self) -> None:
        with self._changed:
            self._holds += 1
            if self._stream is None:
                self._stream = LastingStream("radix-keys", self._state, self._start, self._on_message, self._on_end)

    def let_go(self) -> None:
        with self._changed:
            self._holds -= 1
            if self._holds > 0:
                return
            stream, self._stream, self._outbox = self._stream, None, None
        stream.stop()

    def ask(self, pair: pairing_pb2.Pair, on_due: Callable) -> Introduction:
        """Asks that a key be let in. Later `on_due(reason)` is called, which must not block: with None, when another is
        to take its place; with a text, when the endpoint is not to be called any more."""
        introduction = Introduction(self, pair, on_due)
        self.hold()
        with self._changed:
            self._asked[pair.key] = introduction
            self._say(pairing_pb2.IntroduceRequest(pairs=[pair]))
        return introduction

    def wait(self, introduction: Introduction, limit: float) -> list:
        end = time.monotonic() + limit
        with self._changed:
            while introduction.admission is None and not introduction.withdrawn:
                left = end - time.monotonic()
                if left <= 0:
                    why = f"this node's reeve: {self._error}" if self._error else "its node did not answer in time"
                    raise NotIntroduced(f"{introduction.pair.net_id} did not let a key in: {why}")
                self._changed.wait(left)
            admission = introduction.admission
        if introduction.withdrawn:
            raise NotIntroduced("it was withdrawn")
        if admission.code != 0:
            raise NotIntroduced(f"{introduction.pair.net_id} does not let a key in: {admission.message}")
        if not admission.endpoint_certificates:
            raise NotIntroduced(f"{introduction.pair.net_id} shows no certificate to pin")
        return list(admission.endpoint_certificates)

    def withdraw(self, introduction: Introduction) -> None:
        with self._changed:
            if introduction.withdrawn:
                return
            introduction.withdrawn = True
            del self._asked[introduction.pair.key]
            self._say(pairing_pb2.IntroduceRequest(gone=[introduction.pair.key]))
            self._changed.notify_all()
        self.let_go()

    def _say(self, request: pairing_pb2.IntroduceRequest) -> None:
        """On the call that is there now, if there is one: whatever was not said, the next begins with."""
        if self._outbox is not None and not self._outbox.put(request):
            self._stream.cancel_call()  # who does not read is as good as gone

    def _start(self, channel):
        outbox = Outbox()
        with self._changed:
            if self._asked:
                outbox.put(pairing_pb2.IntroduceRequest(pairs=[each.pair for each in self._asked.values()]))
            self._outbox = outbox
        call = pairing_pb2_grpc.PairingServiceStub(channel).Introduce(outbox)
        if not call.add_callback(outbox.close):  # it has ended already
            outbox.close()
        return call

    def _on_message(self, response: pairing_pb2.IntroduceResponse) -> None:
        due = []
        with self._changed:
            self._error = ""
            for admission in response.admissions:
                introduction = self._asked.get(admission.key)
                if introduction is None:
                    continue
                if introduction.admission is None:
                    introduction.admission = admission
                elif admission.code == FORBIDDEN:
                    due.append((introduction, admission.message))
            if response.roll:
                due += [(each, None) for each in self._asked.values()]
            self._changed.notify_all()
        for introduction, reason in due:
            introduction.on_due(reason)

    def _on_end(self, reason: str) -> None:
        with self._changed:
            self._error = reason
