"""Flock's figures from the simulator: short runs, taken always; and long ones, taken with LONG=1, whose last results are kept.

A kept result is a file in results/: see the README there. By itself it takes the long rows that are named, and keeps them:

    simulated.py PROGRAMS cold-10000 idle-10000

The longest are collected over several runs, each going on where the last one ended; with SECONDS=N no piece is begun after that time.
"""

import datetime
import json
import os
import pathlib
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Callable

from bench import beside, missed, show
from lab import PROGRAMS

RESULTS = pathlib.Path(__file__).resolve().parent / "results"


@dataclass
class Figure:
    what: str
    goal: float | None  # None: it is shown for what it tells
    unit: str
    of: Callable  # makes it of the results, one for each seed


@dataclass
class Row:
    name: str  # of its kept result
    what: str
    arguments: str  # of flock_sim
    figures: list = field(default_factory=list)
    also: list = field(default_factory=list)  # figures that have no goal, shown for what they tell
    seeds: int = 1
    piece: int = 0  # it is collected, so many seeds at a time; its figures are totals


def worst(key, scale=1):
    """The greatest of all seeds. What is negative was never reached."""
    return lambda results: max(r[key] / scale if r[key] >= 0 else float("inf") for r in results)


def total(key):
    return lambda results: sum(r[key] for r in results)


def bad(results):
    return sum(r["violations"] + (not r["converged"]) for r in results)


VIOLATIONS = Figure("violations, or not converged", 0, "", bad)
REMOVED = Figure("removed everywhere, p99", 5, "s", worst("removal_ms_p99", 1000))
ONE_VIEW = Figure("one view, after the link heals", 6, "s", worst("view_ms", 1000))
UNHARMED = Figure("healthy nodes removed", 0, "", total("healthy_removed"))
# Who hears nothing takes all others for dead, and cannot know better.
BY_THE_SICK = Figure("healthy nodes removed from the lists of the sick", None, "", total("healthy_removed_by_sick"))
SEALED_AMONG_FAULTS = Figure("leaders sealed while faults ran", None, "", total("sealings"))
UNCHANGED = Figure("changed any state", 0, "", total("replays_that_changed"))
IDLE = Figure("bytes a second per node", 3000, "B/s", worst("idle_bytes_per_node_s"))


def cold(view, sealed):
    return [
        Figure("one view, after the last boot", view, "s", worst("view_ms", 1000)),
        Figure("one sealed leader", sealed, "s", worst("sealed_ms", 1000)),
    ]


SHORT = (
    Row("cold-2000", "2,000 nodes, cold", "--scenario cold-start --nodes 2000 --loss 0.05", [*cold(2, 6), VIOLATIONS]),
    Row("crash-100", "100 of 1,000 crash", "--scenario rack-failure --nodes 1000 --loss 0.01", [REMOVED, VIOLATIONS]),
    Row("crash-1", "1 of 2,000 crashes, 5 % loss, 3 seeds",
        "--scenario rack-failure --nodes 2000 --count 1 --loss 0.05 --length 0.1 --seeds 3 --remember-crypto", [REMOVED, VIOLATIONS]),
    Row("gray-short", "gray, 200 nodes, 2 min", "--scenario gray --nodes 200 --length 120", [UNHARMED, VIOLATIONS],
        also=[BY_THE_SICK]),
    Row("islands-500", "islands of 500 + 500", "--scenario islands --nodes 1000 --loss 0.01", [ONE_VIEW, VIOLATIONS]),
    Row("replay-short", "1 million replayed or altered", "--scenario replay --nodes 50 --loss 0.05 --count 1000000",
        [UNCHANGED, VIOLATIONS]),
    Row("idle-1000", "idle, 1,000 nodes", "--scenario idle --nodes 1000 --loss 0.01", [IDLE, VIOLATIONS]),
)  # fmt: skip

LONG = (
    Row("cold-10000", "10,000 nodes, cold", "--scenario cold-start --nodes 10000 --loss 0.05", [
        *cold(4, 8),
        Figure("sent per node, mean", 900, "KB", worst("bytes_per_node_mean", 1000)),
        Figure("datagrams into any node in 200 ms", 300, "", worst("datagrams_max_200ms")),
        Figure("into the leader", 2500, "", worst("datagrams_max_200ms_leader")),
        Figure("blind probes per node", 80, "", worst("blind_probes_mean")),
        Figure("wall time on one core", 240, "s", worst("wall_s")),
        VIOLATIONS,
    ]),
    Row("crash-500", "500 of 1,500 crash", "--scenario rack-failure --nodes 1500 --count 500 --loss 0.01 --length 0.1",
        [REMOVED, VIOLATIONS]),
    Row("crash-1000", "1,000 of 3,000 crash", "--scenario rack-failure --nodes 3000 --count 1000 --loss 0.01 --length 0.1",
        [REMOVED, VIOLATIONS]),
    Row("gray-24h", "gray, 500 nodes, 48 times half an hour", "--scenario gray --nodes 500 --length 1800 --remember-crypto",
        [UNHARMED, VIOLATIONS], also=[BY_THE_SICK], seeds=48, piece=1),
    Row("swarm", "swarm, 50 nodes, 100,000 seeds", "--scenario swarm --nodes 50 --loss 0.05 --remember-crypto", [VIOLATIONS],
        also=[SEALED_AMONG_FAULTS], seeds=100000, piece=200),
    Row("islands-2000", "islands of 2,000 + 2,000", "--scenario islands --nodes 4000 --loss 0.01", [ONE_VIEW, VIOLATIONS]),
    Row("islands-5000", "islands of 5,000 + 5,000", "--scenario islands --nodes 10000 --loss 0.01", [ONE_VIEW, VIOLATIONS]),
    Row("replay-10M", "10 million replayed or altered datagrams", "--scenario replay --nodes 50 --loss 0.05 --count 10000000",
        [UNCHANGED, VIOLATIONS]),
    Row("idle-10000", "idle, 10,000 nodes", "--scenario idle --nodes 10000 --loss 0.01", [IDLE, VIOLATIONS]),
)  # fmt: skip


def simulate(row, seeds=""):
    """The results of a row, one for each of its seeds."""
    command = [PROGRAMS / "flock_sim", *row.arguments.split(), *seeds.split(), "-o", "json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 1):  # 1: a violation, which is a figure
        raise AssertionError(f"flock_sim {row.arguments} exited with {done.returncode}")
    results = json.loads(done.stdout)
    return results if isinstance(results, list) else [results]


def commit():
    """What is checked out; `-dirty` if anything but results was changed since."""
    git = ["git", "-C", RESULTS]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", ":/", ":!/tests/bench/results"], check=False).returncode
    return (head or "unknown") + ("-dirty" if changed else "")


def keep(row, results, note=""):
    """Puts what a long run gave into its file."""
    kept = {
        "row": row.what,
        "command": f"flock_sim {row.arguments}",
        "commit": commit(),
        "date": datetime.date.today().isoformat(),
        "note": note,
        "figures": [{"what": f.what, "goal": f.goal, "unit": f.unit, "measured": f.of(results)} for f in row.figures],
        "cpu_s": round(sum(r["cpu_s"] for r in results)),
    }
    (RESULTS / f"{row.name}.json").write_text(json.dumps(kept, indent=2) + "\n")


def collect(row):
    """Goes on with a long row where it was left, in pieces, each of which is kept at once; until all is there, or SECONDS are over."""
    path = RESULTS / f"{row.name}.json"
    kept = {"row": row.what, "command": f"flock_sim {row.arguments}", "seeds": row.seeds, "runs": []}
    if path.exists():
        kept = json.loads(path.read_text())
    runs = kept["runs"]
    end = time.monotonic() + float(os.environ.get("SECONDS", "inf"))
    while (first := runs[-1]["last"] + 1 if runs else 1) <= row.seeds and time.monotonic() < end:
        last = min(first + row.piece - 1, row.seeds)
        results = simulate(row, f"--seed {first} --seeds {last - first + 1}")
        for bad_one in (r for r in results if r["violations"] or not r["converged"]):
            print(f"{row.what}: seed {bad_one['seed']}: {bad_one['violation_texts'] or 'not converged'}", file=sys.stderr, flush=True)
        run = {"first": first, "last": last, "commit": commit(), "date": datetime.date.today().isoformat()}
        run |= {"cpu_s": round(sum(r["cpu_s"] for r in results)), "figures": [figure.of(results) for figure in row.figures]}
        run["also"] = [figure.of(results) for figure in row.also]
        before = runs[-1] if runs else {}
        if "also" in before and all(before[key] == run[key] for key in ("commit", "date")):
            before["last"] = last
            before["cpu_s"] += run["cpu_s"]
            for key in ("figures", "also"):
                before[key] = [a + b for a, b in zip(before[key], run[key])]
        else:
            runs.append(run)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(kept, indent=2) + "\n")
        new.replace(path)
    show_collected(row, kept)


def show_collected(row, kept):
    runs = kept["runs"]
    done = runs[-1]["last"] if runs else 0
    by = ", ".join(f"seeds {run['first']} to {run['last']} {run['commit']}, {run['date']}" for run in runs)
    for i, figure in enumerate(row.figures):
        measured = sum(run["figures"][i] for run in runs)
        what = f"{row.what}: {figure.what}"
        # Seeds that were not simulated yet are no promise that was broken; a bad one is, whenever that was.
        if measured > figure.goal:
            missed.append(what)
        print(
            f"{what:<58} goal {figure.goal:>5} {figure.unit:<4} "
            f"kept result of {done} of {row.seeds} seeds: {measured:.0f} {figure.unit}{'  MISSED' if measured > figure.goal else ''}",
            flush=True,
        )
    # Runs of earlier days did not keep these.
    with_also = [run for run in runs if "also" in run]
    for i, figure in enumerate(row.also):
        if with_also:
            seeds = sum(run["last"] - run["first"] + 1 for run in with_also)
            beside(f"{figure.what}, in {seeds} of the seeds", sum(run["also"][i] for run in with_also), figure.unit)
    print(f"  by: {kept['command']} --seed S: {by}", flush=True)


def show_kept(row):
    """Prints what a long run gave when it was last made: it is not measured now, and is neither kept nor missed by this run."""
    path = RESULTS / f"{row.name}.json"
    if not path.exists():
        print(f"{row.what:<58} no result is kept; LONG=1 make bench-flock", flush=True)
        return
    kept = json.loads(path.read_text())
    if row.piece:
        show_collected(row, kept)
        return
    for figure in kept["figures"]:
        print(
            f"{row.what + ': ' + figure['what']:<58} goal {figure['goal']:>5} {figure['unit']:<4} "
            f"kept result of {kept['commit']}, {kept['date']}: {figure['measured']:.1f} {figure['unit']}",
            flush=True,
        )
    print(f"  by: {kept['command']}{'; ' + kept['note'] if kept['note'] else ''}", flush=True)


def simulations(long):
    for row in SHORT:
        take(row)
    for row in LONG:
        if long:
            take_long(row)
        else:
            show_kept(row)


def take(row):
    results = simulate(row)
    for figure in row.figures:
        show(f"{row.what}: {figure.what}", figure.goal, [figure.of(results)], figure.unit)
    for figure in row.also:
        beside(figure.what, figure.of(results), figure.unit)
    return results


def take_long(row):
    if row.piece:
        collect(row)
    else:
        keep(row, take(row))


def main():
    rows = {row.name: row for row in LONG}
    for name in sys.argv[1:]:
        if name not in rows:
            sys.exit(f"simulated.py: there is no row {name}; there are {', '.join(rows)}")
    for name in sys.argv[1:]:
        take_long(rows[name])


if __name__ == "__main__":
    main()
