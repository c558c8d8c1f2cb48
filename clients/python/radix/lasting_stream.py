"""A streaming call to this node's reeve that is made again, with back-off, whenever it ends."""

import random
import threading
from typing import Callable

import grpc

from radix.backoff import Backoff
from radix.dial import dial_local

PAUSE_FIRST, PAUSE_MOST = 0.02, 1.0


class LastingStream:
    """Follows such a call in a thread of its own, until it is stopped. Every call is a new connection, since a channel
    that broke may take its time.

    `start(channel)` makes the call. `on_message(response)` is told of each response, `on_end(reason)` of each end: they
    run in that thread, one at a time, and must not block. A call that reaches its own deadline is made again at once.
    Thread-safe.
    """

    def __init__(self, name: str, state, start: Callable, on_message: Callable, on_end: Callable):
        self._state = state
        self._start = start
        self._on_message = on_message
        self._on_end = on_end
        self._lock = threading.Lock()
        self._call = None
        self._stopped = threading.Event()
        self._backoff = Backoff(PAUSE_FIRST, PAUSE_MOST, random.Random())
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def stop(self) -> None:
        """Ends it; does not wait, so one more `on_message` may be on its way."""
        self._stopped.set()
        self.cancel_call()

    def cancel_call(self) -> None:
        """Ends the call that is there now; another follows."""
        with self._lock:
            call = self._call
        if call is not None:
            call.cancel()

    def _run(self) -> None:
        while not self._stopped.is_set():
            channel = dial_local(self._state, "reeve")
            try:
                reached_deadline = self._follow(channel)
            finally:
                channel.close()
            if not reached_deadline:
                self._stopped.wait(self._backoff.next())

    def _follow(self, channel) -> bool:
        """Until the call ends; True when that was its own deadline."""
        call = self._start(channel)
        with self._lock:
            self._call = call
        if self._stopped.is_set():  # after `stop` looked for a call
            call.cancel()
        try:
            for message in call:
                self._backoff.reset()
                if self._stopped.is_set():
                    break
                self._on_message(message)
            reason = "it ended the stream"
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                return True
            reason = error.details()
        if not self._stopped.is_set():
            self._on_end(reason)
        return False
