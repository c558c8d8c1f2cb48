"""Groups of real processes with a network namespace each: Radix's flock, and Serf's agents in the same network.

Both answer the same questions: after how many seconds did all know all, what had been sent by then, and after how many
seconds had everybody noticed that one died.
"""

import datetime
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from lab import Lab, wait_for  # noqa: E402
from namespaces import inside  # noqa: E402
from traffic import Traffic  # noqa: E402

LIMIT = 180  # seconds


def process_start(pid):
    """When a process was started, as time.time() counts."""
    ticks = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    ago = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.time() - ago


def seconds_of(text):
    """A time of RFC 3339, as time.time() counts."""
    whole, fraction = re.fullmatch(r"(.*?)(\.\d+)?Z", text).groups()
    return datetime.datetime.fromisoformat(whole + "+00:00").timestamp() + float(fraction or 0)


class Flock:
    """A lab of `nodes` with flock alone; measured by what each flock noted, with its time, when it happened."""

    def __init__(self, nodes, loss=0):
        self.lab = Lab()
        self.lab.flags = ["--netns", "--services", "none", "--port", "7117", "--loss", str(loss)]
        self.count = nodes
        traffic = Traffic(before=Traffic.hubs())
        try:
            self.lab.ok("lab", "up", "--nodes", nodes, *self.lab.flags, timeout=300)
            self.status = self.lab.json("lab", "status")
            starts = [process_start(node["pid"]) for node in self.status["nodes"]]
            self.begin = min(starts)
            self.start_seconds = max(starts) - self.begin
            view, sealed = self.settled([self.events(node) for node in self.status["nodes"]])
        except BaseException:
            self.lab.down()
            raise
        finally:
            traffic.stop()
        self.view_seconds = view - self.begin
        self.sealed_seconds = sealed - self.begin
        try:
            self.sent_bytes = traffic.bytes_between(self.begin, self.begin + self.view_seconds)
        except AssertionError:
            self.lab.down()
            raise

    def events(self, node):
        return self.lab.json("flock", "events", "--limit", 10000, "--node", node["node"])

    def settled(self, histories):
        """(when all knew all, when all had one sealed leader besides), by what each noted."""
        known = [set() for _ in histories]
        leaders = [None] * len(histories)
        complete, view = set(), None
        events = [(seconds_of(event["time"]), index, event) for index, events in enumerate(histories) for event in events]
        for at, index, event in sorted(events, key=lambda each: each[:2]):
            kind = event["kind"]
            if kind == "joined":
                known[index].add(event["address"])
            elif kind in ("died", "left"):
                known[index].discard(event["address"])
            elif kind in ("sealed", "sealed-leader"):
                leaders[index] = (event["address"], event["epoch"])
            elif kind in ("unsealed", "sealed-leader-lost"):
                leaders[index] = None
            (complete.add if len(known[index]) == self.count - 1 else complete.discard)(index)
            if len(complete) == self.count:
                view = view or at
                if None not in leaders and len(set(leaders)) == 1:
                    return view, at
        raise AssertionError(f"{len(complete)} of {self.count} knew all at last, with the leaders {set(leaders)}")

    def noticed_seconds(self):
        """Kills a node that does not lead, all of it; returns after how long the last of the others had it removed."""
        leader = next(each["address"] for each in self.lab.json("members") if each["leader"])
        victim = next(node for node in reversed(self.status["nodes"]) if node["address"] != leader)
        others = [node for node in self.status["nodes"] if node is not victim]
        begin = time.time()
        os.kill(victim["pid"], signal.SIGKILL)

        def removed(node):
            gone = [e for e in self.events(node) if e["kind"] == "died" and e["address"] == victim["address"]]
            return seconds_of(gone[-1]["time"]) if gone else None

        # Asked one after another, the first until it knows: who is asked works for the answer.
        return max(wait_for(lambda node=node: removed(node), LIMIT, f"{node['node']} to notice") for node in others) - begin

    def kill(self):
        """Ends all nodes; their network stays."""
        for node in self.lab.json("lab", "status")["nodes"]:
            if node["pid"]:
                os.kill(node["pid"], signal.SIGKILL)
        wait_for(lambda: not self.lab.processes(), 30, "the end of all processes")

    def down(self):
        self.lab.down()


class Serf:
    """As many Serf agents in a network that is there, with the defaults of their package; measured by what they log."""

    def __init__(self, status, folder):
        self.nodes = status["nodes"]
        self.logs = [pathlib.Path(folder) / f"serf-{node['node']}.log" for node in self.nodes]
        self.files = []  # the logs as they are read; what was read of a line that is not whole yet
        self.partial = [b""] * len(self.nodes)
        self.known = [set() for _ in self.nodes]
        self.failed = [set() for _ in self.nodes]
        self.agents = []
        traffic = Traffic(hub=status["hub"])
        try:
            # The seed has a head start: nobody has to try twice.
            self.start(0)
            wait_for(lambda: self.look() and len(self.known[0]) == 1, LIMIT, "the seed")
            self.begin = time.time()
            for index in range(1, len(self.nodes)):
                self.start(index, f"-retry-join={self.nodes[0]['address']}", "-retry-interval=1s")
            self.await_all(lambda index: len(self.known[index]) == len(self.nodes), "all to know all")
            end = time.time()
            self.view_seconds = end - self.begin
            wait_for(lambda: traffic.samples and traffic.samples[-1][0] > end, 10, "a sample")
        except BaseException:
            self.kill()
            raise
        finally:
            traffic.stop()
        self.sent_bytes = traffic.bytes_between(self.begin, end)

    def start(self, index, *flags):
        node = self.nodes[index]
        command = ["serf", "agent", f"-node={node['node']}", f"-bind={node['address']}", *flags]
        with open(self.logs[index], "wb") as log, inside(node["netns"]):
            self.agents.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        self.files.append(open(self.logs[index], "rb", buffering=0))

    def look(self):
        """Reads on in every log."""
        for index, file in enumerate(self.files):
            text = self.partial[index] + file.read()
            whole = text[: text.rfind(b"\n") + 1]
            self.partial[index] = text[len(whole) :]
            for event, name in re.findall(rb"EventMember(Join|Failed): (\S+)", whole):
                (self.known if event == b"Join" else self.failed)[index].add(name.decode())
        return True

    def await_all(self, is_so, what):
        # Often, since the flock's figures are exact: each tells when something happened.
        wait_for(lambda: self.look() and all(map(is_so, range(len(self.agents)))), LIMIT, what, every=0.01)

    def noticed_seconds(self):
        """Kills the last agent; returns after how long all the others had said that it failed."""
        victim = self.nodes[-1]["node"]
        begin = time.time()
        self.agents[-1].kill()
        others = range(len(self.agents) - 1)
        self.await_all(lambda index: index not in others or victim in self.failed[index], "all to notice")
        return time.time() - begin

    def kill(self):
        for agent in self.agents:
            agent.kill()
        for agent in self.agents:
            agent.wait()
        for file in self.files:
            file.close()


def memory_of_flock(nodes):
    """Bytes that the flock process of one of `nodes` has to itself (RssAnon), on average, in a lab on loopback with flock alone. The
    rest of what it has in memory are pages of files: the programs and libraries that the node's processes share."""
    lab = Lab()
    lab.range = lab.range.replace("/26", "/24")
    lab.flags = ["--services", "none", "--range", lab.range, "--port", str(lab.port)]
    try:
        lab.ok("lab", "up", "--nodes", nodes, *lab.flags, timeout=300)
        for name in ("n1", f"n{nodes}"):  # names come last
            wait_for(lambda name=name: all(each["node"] for each in lab.json("members", "--node", name)), 60, "all names")
        return statistics.mean(private_bytes(node["pid"]) for node in lab.json("lab", "status")["nodes"])
    finally:
        lab.down()


def private_bytes(supervisor):
    """Of its child that is flock."""
    children = pathlib.Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    texts = [pathlib.Path(f"/proc/{pid}/status").read_text() for pid in children]
    (flock,) = [text for text in texts if re.match(r"Name:\s*flock\n", text)]
    return int(re.search(r"RssAnon:\s*(\d+) kB", flock).group(1)) * 1024
