"""What is promised against hostile peers beside what is measured; part of bench_trust.py.

The server and its good client share one processor, and the hostile peer has another, as if it were on another machine; so what it
costs itself to be hostile is not counted.
"""

import contextlib
import os
import pathlib
import resource
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "hostile"))

import hostile_peer as hostile  # noqa: E402
from bench import beside, missed, show  # noqa: E402
from lab import PROGRAMS, Lab, wait_for  # noqa: E402
from target import Target  # noqa: E402

RUNS = int(os.environ.get("RUNS", "3"))
BEFORE, DURING = 2, 4  # seconds
SERVICE_MEMORY = 224 << 20  # fulcrum/boot.cc, for two processors
CONTROL_MEMORY = 3 << 30  # so that the machine outlives it
MEMORY_GOAL = 256  # megabytes
DAMAGE = 5  # per cent of the calls more
HARMLESS = {"pings"}  # which gRPC itself ends
SOURCE = "127.0.0.66"


def again_and_again(attack, keys=1, acknowledges=False):
    """Over one connection after another, with one key after another."""

    def run(target, end):
        contexts = [hostile.context(target.key(number)) for number in range(keys)]
        number = 0
        while time.monotonic() < end:
            number += 1
            with contextlib.suppress(OSError):
                with contextlib.closing(hostile.Peer(target.address, contexts[number % keys], SOURCE, acknowledges)) as peer:
                    attack(peer, end - time.monotonic())

    return run


def half_handshakes(listed):
    """As many as there may be, and new ones for those that were ended."""

    def run(target, end):
        said = hostile.hello(hostile.context(target.key(0) if listed else target.strangers_key))
        with contextlib.ExitStack() as stack:
            while time.monotonic() < end:
                try:
                    stack.enter_context(hostile.half_handshake(target.address, said, SOURCE))
                except OSError:
                    time.sleep(0.01)  # no more descriptors
    return run


def handshakes(target, end):
    """With a key that nobody knows."""
    tls = hostile.context(target.strangers_key)
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            with contextlib.closing(hostile.Peer(target.address, tls, SOURCE)) as peer:
                peer.ended.wait(end - time.monotonic())


def crowd(hosts, each):
    """Of so many addresses, which say nothing."""

    def run(target, end):
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed[1], allowed[1]))
        sources = [f"127.0.1.{number + 1}" for number in range(hosts)]
        hostile.crowd(target.address, sources, each, lambda: time.monotonic() >= end)

    return run


LISTED = {
    "rapid reset": again_and_again(hostile.rapid_reset),
    "rapid reset, each time with another key": again_and_again(hostile.rapid_reset, keys=64),
    "CONTINUATION flood": again_and_again(hostile.continuation_flood(16000)),
    "CONTINUATION flood, limits acknowledged": again_and_again(hostile.continuation_flood(4000), acknowledges=True),
    "10,000 streams, limits unacknowledged": again_and_again(hostile.open_calls(10000)),
    "100,000 streams at once": again_and_again(hostile.open_calls(100000)),
    "pings": again_and_again(hostile.flood(hostile.frame(hostile.PING, 0, 0, bytes(8)))),
    "slow handshakes": half_handshakes(listed=True),
}
UNLISTED = {"slow handshakes of a stranger": half_handshakes(listed=False), "handshakes of a stranger": handshakes}
# To a good client that connects anew for each call.
CROWDS = {"strangers from several addresses that say nothing": crowd(hosts=5, each=256)}


def suffer(attack, *flags, memory_max, anew):
    """(per cent of the good client's calls lost, calls that failed, most megabytes of the server; None when it died)."""
    several = os.cpu_count() > 1
    target = Target(PROGRAMS, *flags, memory_max=memory_max, processor=0 if several else None, anew=anew)
    allowed = os.sched_getaffinity(0)
    try:
        wait_for(lambda: target.well() > 100, 60, "a good client's calls")
        time.sleep(BEFORE)  # a measurement, not a wait
        if several:
            os.sched_setaffinity(0, {1})
        begin = time.monotonic()
        attack(target, begin + DURING)
        end = time.monotonic()
        quiet = target.rate(begin - BEFORE, begin)
        lost = 100 * (1 - target.rate(begin, end) / quiet)
        return lost, target.failed(), target.most_megabytes()
    finally:
        os.sched_setaffinity(0, allowed)
        target.close()


def attacks(named, goal, anew=False):
    """Returns the most megabytes of all of them, with the protection."""
    most = []
    for name, attack in named.items():
        guarded = [suffer(attack, memory_max=SERVICE_MEMORY, anew=anew) for _ in range(RUNS)]
        control = [suffer(attack, "unguarded", memory_max=CONTROL_MEMORY, anew=anew) for _ in range(RUNS)]
        lost = [lost for lost, _, _ in guarded]
        show(f"{name}: calls lost to it", goal, lost, "%")
        unguarded = statistics.median(lost for lost, _, _ in control)
        beside("without the protection, median", unguarded, "%")
        memory = [megabytes or float("inf") for _, _, megabytes in guarded]
        beside("most memory", max(memory), "MB")
        eaten = max(megabytes or float("inf") for _, _, megabytes in control)
        beside("without the protection", eaten, "MB")
        if name not in HARMLESS and unguarded < statistics.median(lost) + DAMAGE and eaten < MEMORY_GOAL:
            print(f"{name}: without the protection it does no more damage: this shows nothing  MISSED", flush=True)
            missed.append(f"{name}: the damage that it does without the protection")
        failed = sum(count for _, count, _ in guarded)
        beside("calls of the good client that failed", failed, "")
        most.append(max(memory))
    return most


def reeve_of(lab):
    """(process, address) of the one reeve there is; None while there is none."""
    for pid in lab.processes():
        with contextlib.suppress(OSError):
            if b"\0reeve\0" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
    return None


def deaths():
    """Seconds from the end of a service that gets no more memory until it serves again: a reeve with nothing left, flooded."""
    lab = Lab()
    lab.up(1)
    try:
        folder = lab.folder / "issued"
        lab.ok("keys", "issue", "--for", "reeve", "--out", folder)
        pem = lab.folder / "both.pem"
        pem.write_bytes((folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes())
        tls = hostile.context(pem)
        net_id = next(i["net_id"] for i in lab.json("services") if i["api"] == "reeve1")
        host, port = net_id.rsplit(":", 1)
        address = host, int(port)

        def serves(source):
            with contextlib.suppress(OSError):
                with contextlib.closing(hostile.Peer(address, tls, source)) as peer:
                    while not peer.opened.wait(0.001) and not peer.ended.is_set():
                        continue
                    return peer.opened.is_set()
            return False

        seconds = []
        for run in range(RUNS):
            pid = reeve_of(lab)
            used = resource.prlimit(pid, resource.RLIMIT_DATA)
            data = next(int(line.split()[1]) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
                        if line.startswith("VmData"))  # fmt: skip
            resource.prlimit(pid, resource.RLIMIT_DATA, ((data + 4096) << 10, used[1]))
            with contextlib.suppress(OSError):
                with contextlib.closing(hostile.Peer(address, tls, f"127.0.0.{70 + run}", acknowledges=True)) as peer:
                    hostile.continuation_flood(4000)(peer, 30)
            wait_for(lambda: not pathlib.Path(f"/proc/{pid}").exists(), 30, "it outlives that", every=0.001)
            begin = time.monotonic()
            wait_for(lambda: serves(f"127.0.0.{80 + run}"), 30, "it does not come back", every=0.001)
            seconds.append(time.monotonic() - begin)
            wait_for(lambda: ("n1", "reeve1") in lab.serving(key="api"), 60, "it is not well")
        show("a service without memory serves again after", 1, seconds, "s", of=max)
    finally:
        lab.down()


def hostile_peers():
    most = attacks(LISTED, 50) + attacks(UNLISTED, 10) + attacks(CROWDS, 10, anew=True)
    show("most memory of a server under any of these", MEMORY_GOAL, most, "MB", of=max)
    deaths()
