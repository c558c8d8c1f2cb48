"""Flock: what is promised beside what is measured, and Serf in the same network. Exit status 1 when a promise is not kept.

    bench_flock.py PROGRAMS    (RUNS: how often each is taken, default 3; SIZES: default "5 50 200"; LONG=1: the long ones too)

As root: each node is a real process in a network namespace, as `radix lab up --netns` makes them. What takes minutes to hours is not
taken without LONG=1: then its last result is shown, and said to be that.
"""

import os
import shutil
import statistics
import subprocess
import sys

from bench import beside, missed, show
from real_groups import Flock, Serf, memory_of_flock
from simulated import simulations

RUNS = int(os.environ.get("RUNS", "3"))
SIZES = [int(size) for size in os.environ.get("SIZES", "5 50 200").split()]
REAL_NODES = max(SIZES)
LONG = os.environ.get("LONG") == "1"


def skip(what, why):
    print(f"{what:<58} skipped: {why}", flush=True)


def missing():
    """Why there can be no network namespaces here; empty when there can."""
    if os.geteuid() != 0:
        return "network namespaces take root"
    return "" if shutil.which("ip") and shutil.which("nft") else "`ip` or `nft` is not there: make deps"


def serf_version():
    """As its package has it; empty without one."""
    if not shutil.which("serf"):
        return ""
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "serf"], capture_output=True, text=True, check=False)
    return done.stdout or "of unknown version"


def note(what, run):
    """One run's figures, for who waits; returns them."""
    print(f"{what}: " + ", ".join(f"{key} {value:.1f}" for key, value in run.items()), file=sys.stderr, flush=True)
    return run


def measure_beside_serf(size):
    """The figures of one run: of a flock, and of as many Serf agents after it, in its network."""
    flock = Flock(size)
    try:
        run = {
            "view": flock.view_seconds,
            "sealed": flock.sealed_seconds,
            "start": flock.start_seconds,
            "sent": flock.sent_bytes / 1e3,
            "noticed": flock.noticed_seconds(),
        }
        if serf_version():
            flock.kill()
            serf = Serf(flock.status, flock.lab.folder)
            try:
                run |= {"serf view": serf.view_seconds, "serf sent": serf.sent_bytes / 1e3, "serf noticed": serf.noticed_seconds()}
            finally:
                serf.kill()
        return note(f"{size} nodes", run)
    finally:
        flock.down()


def show_beside_serf(size, runs):
    for key, what, unit in (
        ("view", "until all know all", "s"),
        ("noticed", "one killed, until all have noticed", "s"),
        ("sent", "sent by all until all know all", "KB"),
    ):
        what = f"{size} real nodes, {what}"
        if not serf_version():
            skip(what, "the goal is what Serf does, and it is not installed")
            continue
        serf = statistics.median(run[f"serf {key}"] for run in runs)
        show(what, serf, [run[key] for run in runs], unit, less=True)
        beside(f"Serf in {RUNS} runs, of which the goal is the median, at most", max(run[f"serf {key}"] for run in runs), unit)


def real_nodes():
    lossless = {size: [measure_beside_serf(size) for _ in range(RUNS)] for size in SIZES}
    lossy = []
    for _ in range(RUNS):
        flock = Flock(REAL_NODES, loss=20)
        lossy.append(note("20 % loss", {"sealed": flock.sealed_seconds, "start": flock.start_seconds}))
        flock.down()
    for loss, goal, runs in ((0, 10, lossless[REAL_NODES]), (20, 15, lossy)):
        show(f"{REAL_NODES} real nodes, {loss} % loss, until one view and leader", goal, [run["sealed"] for run in runs], "s")
        beside("from the first process's start to the last one's, at most", max(run["start"] for run in runs), "s")
    print(f"Serf {serf_version() or 'is not installed'}", flush=True)
    for size in SIZES:
        show_beside_serf(size, lossless[size])


def memory():
    """Of a flock process, from labs on loopback: what it takes in a small bloc, and what each further member adds."""
    few, many = 5, 100
    small, large = memory_of_flock(few), memory_of_flock(many)
    each = (large - small) / (many - few)
    show("memory of a flock process, 10,000 members, extrapolated", 16, [(small + each * (10000 - few)) / 1e6], "MB")
    for nodes, size in ((few, small), (many, large)):
        beside(f"its private memory, of {nodes} members", size / 1e6, "MB")


def main():
    if missing():
        skip("real nodes", missing())
    else:
        real_nodes()
    memory()
    simulations(LONG)
    if missed:
        print("missed: " + ", ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
