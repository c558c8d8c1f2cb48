"""The network of a lab of network namespaces, as the benchmark uses it: to start programs in it, and to count what passes."""

import contextlib
import ctypes
import os
import pathlib
import threading
import time

NAMESPACES = pathlib.Path("/run/netns")
CLONE_NEWNET = 0x40000000
SAMPLE_SECONDS = 0.05

libc = ctypes.CDLL(None, use_errno=True)


def set_namespace(descriptor):
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(name):
    """What this thread starts meanwhile is in the namespace `name`."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(NAMESPACES / name, os.O_RDONLY)
    try:
        set_namespace(there)
        try:
            yield
        finally:
            set_namespace(home)
    finally:
        os.close(there)
        os.close(home)


def process_start(pid):
    """When a process was started, as time.time() counts."""
    ticks = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    ago = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - ago


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
                while not self.stopped.wait(SAMPLE_SECONDS):
                    lines = pathlib.Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]
                    columns = [line.replace(":", " ").split() for line in lines]
                    self.samples.append((time.time(), sum(int(each[1]) for each in columns if each[0] != "lo")))
        except OSError as error:
            self.failure = error

    def stop(self):
        self.stopped.set()
        self.thread.join()

    def bytes_between(self, begin, end):
        """What was sent from `begin` to `end`, which are as of time.time()."""
        if self.failure or not self.samples:
            raise AssertionError(f"nothing was counted: {self.failure}")
        before = next((count for at, count in reversed(self.samples) if at <= begin), self.samples[0][1])
        after = next((count for at, count in self.samples if at >= end), self.samples[-1][1])
        return after - before
