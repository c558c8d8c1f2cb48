"""Labs whose nodes have a network namespace each, for the tests that need real packets."""

import contextlib
import ctypes
import datetime
import os
import pathlib
import re
import shutil
import subprocess

from lab import Lab, wait_for

LIMIT = 60  # seconds; more than anything here takes on a machine with other work
NAMESPACES = pathlib.Path("/run/netns")
CLONE_NEWNET = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)


def why_not():
    """Why there can be no such lab here; empty when there can."""
    if os.geteuid() != 0:
        return "network namespaces take root"
    if not shutil.which("ip") or not shutil.which("nft"):
        return "there is no `ip` (package iproute2) or no `nft` (package nftables)"
    done = subprocess.run(["unshare", "--net", "nft", "add", "table", "ip", "radix"], capture_output=True, check=False)
    return f"this kernel has no network namespaces, or no nftables: {done.stderr}" if done.returncode else ""


def prefix_of(state):
    """How the names of a lab's namespaces begin, as clients/cli/lab_network.h has it: other labs may run beside this one."""
    tag = 0xCBF29CE484222325
    for byte in str(state).encode():
        tag = (tag ^ byte) * 0x100000001B3 % 2**64
    return f"radix-{tag % 2**32:08x}-"


def links():
    """The names of the machine's own interfaces."""
    return {entry.name for entry in pathlib.Path("/sys/class/net").iterdir()}


def set_namespace(descriptor):
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(name):
    """What this thread starts or opens meanwhile is in the namespace `name`, and stays there."""
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


class NetnsLab(Lab):
    """A lab of nodes with a network namespace each, which run flock alone unless told otherwise: n1 is 10.77.0.1."""

    def __init__(self, nodes, services="none"):
        super().__init__()
        self.flags = ["--netns", "--services", services, "--range", "10.77.0.0/26", "--port", str(self.port)]
        self.names = [f"n{i + 1}" for i in range(nodes)]
        self.links = links()

    def down(self):
        """Takes the lab down; fails when a process, a namespace or an interface is left."""
        super().down()
        left = self.namespaces() | (links() - self.links)
        if left:
            raise AssertionError(f"lab down left {left}")

    def namespaces(self):
        return {entry.name for entry in NAMESPACES.glob(prefix_of(self.state) + "*")}

    def view(self, node):
        """(who is alive, the sealed leader or None, its epoch), by address, as `node` sees it; None without an answer."""
        members = self.try_json("members", "--node", node)
        if not members:
            return None
        leader = [each["address"] for each in members if each["leader"]]
        alive = frozenset(each["address"] for each in members if each["state"] == "alive")
        return alive, leader[0] if leader else None, members[0]["epoch"] if leader else 0

    def views(self, names):
        return {self.view(name) for name in names}

    def addresses(self, names):
        return frozenset(f"10.77.0.{name[1:]}" for name in names)

    def agreed(self, names, above=0):
        """(leader's name, epoch) once all of `names` see exactly each other and one leader among them; else None."""
        views = self.views(names)
        if len(views) != 1 or None in views:
            return None
        alive, leader, epoch = views.pop()
        if alive != self.addresses(names) or leader not in alive or epoch <= above:
            return None
        return "n" + leader.rsplit(".", 1)[1], epoch

    def await_agreement(self, names, above=0):
        return wait_for(lambda: self.agreed(names, above), LIMIT, lambda: f"one flock: {self.views(names)}")

    def events(self, node, *kinds):
        return [each for each in self.json("flock", "events", "--limit", 10000, "--node", node) if each["kind"] in kinds]

    def reigns(self):
        """(begin, end, node) of every time that a node was the sealed leader, as it says itself; in order."""
        reigns = []
        for name in self.names:
            begin = None
            for event in self.events(name, "sealed", "unsealed"):
                at = datetime.datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z?$|Z$", r"\1+00:00", event["time"]))
                if event["kind"] == "sealed":
                    begin = begin or at
                elif begin:
                    reigns.append((begin, at, name))
                    begin = None
            if begin:
                reigns.append((begin, datetime.datetime.max.replace(tzinfo=datetime.timezone.utc), name))
        return sorted(reigns)

    def pid(self, name):
        return next(each["pid"] for each in self.json("lab", "status")["nodes"] if each["node"] == name)

    def enter(self, name, *command, text=None):
        """Runs a program in the namespace of a node, or of the hub; returns its output."""
        with inside(self.space(name)):
            done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
        return done.stdout

    def space(self, name):
        """The network namespace of a node, or of the hub."""
        status = self.json("lab", "status")
        return ({each["node"]: each["netns"] for each in status["nodes"]} | {"hub": status["hub"]})[name]
