"""What passes the hub of a lab of network namespaces."""

import pathlib
import threading
import time

from namespaces import NAMESPACES, inside

SAMPLE_SECONDS = 0.01
# Looking at a hub of hundreds takes time of the machine that is measured: no more than this part of it.
SAMPLING_SHARE = 0.05


class Traffic:
    """Counts the bytes that nodes send into the hub, with all headers, from when there is a hub until `stop`."""

    def __init__(self, before=None, hub=None):
        """Of the hub that comes to be beside those of `before`, or of one that is there."""
        self.before = before
        self.hub = hub
        self.samples = []  # (time.time(), bytes)
        self.stopped = threading.Event()
        self.failure = None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    @staticmethod
    def hubs():
        return {entry.name for entry in NAMESPACES.glob("*-hub")}

    def find(self):
        while self.hub is None and not self.stopped.wait(SAMPLE_SECONDS):
            new = self.hubs() - self.before
            self.hub = new.pop() if new else None

    def run(self):
        self.find()
        while not self.samples and not self.stopped.wait(SAMPLE_SECONDS):
            self.sample()  # again, where the name was there before the namespace was

    def sample(self):
        try:
            with inside(self.hub):
                cost = 0
                while not self.stopped.wait(max(SAMPLE_SECONDS, cost / SAMPLING_SHARE)):
                    begin = time.monotonic()
                    lines = pathlib.Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]
                    columns = [line.replace(":", " ").split() for line in lines]
                    self.samples.append((time.time(), sum(int(each[1]) for each in columns if each[0] != "lo")))
                    cost = time.monotonic() - begin
        except OSError as error:
            self.failure = error

    def stop(self):
        self.stopped.set()
        self.thread.join()

    def bytes_between(self, begin, end):
        """What was sent from `begin` to `end`, which are as of time.time()."""
        if self.failure or not self.samples:
            raise AssertionError(f"nothing was counted: {self.failure}")
        # A hub that came to be since may have carried all of it before it was first looked at.
        first = 0 if self.before is not None else self.samples[0][1]
        before = next((count for at, count in reversed(self.samples) if at <= begin), first)
        after = next((count for at, count in self.samples if at >= end), self.samples[-1][1])
        return after - before
