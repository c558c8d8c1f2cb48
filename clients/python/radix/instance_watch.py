"""What this node's reeve knows of the instances that a selector names, as it changes."""

import threading
from typing import Callable

from radix.lasting_stream import LastingStream
from radix.reeve.v1 import reeve_pb2, reeve_pb2_grpc
from radix.registry.v1 import registry_pb2


class InstanceWatch:
    """Watches until it is stopped. What is known stays known while there is no reeve. Thread-safe.

    `on_delta(delta)` is called for each step, one at a time, and must not block; with `delta.snapshot` it holds
    everything. Each `rescan` seconds the watch is opened again, which makes reeve send everything again: news come by
    themselves, this only bounds what a lost message costs.
    """

    def __init__(self, state, selector: registry_pb2.Selector, rescan: float, on_delta: Callable):
        self._request = reeve_pb2.WatchRequest(selector=selector)
        self._rescan = rescan
        self._on_delta = on_delta
        self._lock = threading.Lock()
        self._error = ""
        self._origin = None  # of the stream's last delta; None before its first
        self._stream = LastingStream("radix-watch", state, self._start, self._on_message, self._on_end)

    def error(self) -> str:
        """Why the last watch ended; empty while one works."""
        with self._lock:
            return self._error

    def stop(self) -> None:
        self._stream.stop()

    def _start(self, channel):
        self._origin = None
        return reeve_pb2_grpc.ReeveServiceStub(channel).Watch(self._request, timeout=self._rescan)

    def _on_message(self, response: reeve_pb2.WatchResponse) -> None:
        delta = response.delta
        # Another origin is another table's life, whose first delta is whole.
        if delta.origin != self._origin:
            delta.snapshot = True
        self._origin = delta.origin
        with self._lock:
            self._error = ""
        self._on_delta(delta)

    def _on_end(self, reason: str) -> None:
        with self._lock:
            self._error = reason
