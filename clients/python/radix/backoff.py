"""How long to wait before the next try."""

import random


class Backoff:
    """Exponential back-off with jitter: each wait is drawn from [w/2, w] seconds; w doubles from `first` up to `most`.

    Half of it is random, so that many who failed together do not come back together. Not thread-safe.
    """

    def __init__(self, first: float, most: float, dice: random.Random):
        self._first = first
        self._most = most
        self._next = first
        self._dice = dice

    def next(self) -> float:
        """The wait before the next try."""
        wait = self._next
        self._next = min(2 * wait, self._most)
        return self._dice.uniform(wait / 2, wait)

    def reset(self) -> None:
        """The last try worked: starts again at `first`."""
        self._next = self._first
