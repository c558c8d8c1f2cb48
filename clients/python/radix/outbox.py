"""What is still to be said on a stream."""

import collections
import threading


class Outbox:
    """The requests of one streaming call, for gRPC to iterate over. Thread-safe."""

    LENGTH_MAX = 1024

    def __init__(self):
        self._changed = threading.Condition()
        self._waiting = collections.deque()
        self._closed = False

    def put(self, request) -> bool:
        """False when so many wait that nobody can be reading. What is put after the end is lost."""
        with self._changed:
            if len(self._waiting) >= self.LENGTH_MAX:
                return False
            if not self._closed:
                self._waiting.append(request)
                self._changed.notify()
            return True

    def close(self) -> None:
        """Nothing more is said; gRPC's thread, which waits for it, may go."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def __iter__(self):
        return self

    def __next__(self):
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if self._closed:
                raise StopIteration
            return self._waiting.popleft()
