"""A lab of real processes for one test file: powered up through `radix`, always taken down again."""

import hashlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

PROGRAMS = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else "build/bin").resolve()
RADIX = PROGRAMS / "radix"
FULCRUM = PROGRAMS / "fulcrum"


def wait_for(condition, seconds, what, every=0.1):
    """Returns what `condition` returns as soon as that is true, asked each `every` seconds; fails after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s still not: {what() if callable(what) else what}")
        time.sleep(every)


def galumph_manifest(count, inst="galumph2_3", name="galumph", nodes="ALL", file=None):
    """The text of a manifest that asks for `count` of one version of the example; its khan is line 9."""
    return f"""\
version: 1
name: {name}
services:
  - name: galumph
    api: galumph2
    inst: {inst}
    file: {file or inst}
khan: |
  pick(galumph, {count}, {nodes})
"""


def short_name(text):
    """As reeve names the folders of doors."""
    return hashlib.blake2b(str(text).encode(), digest_size=16).hexdigest()[:10]


def doors_of(state):
    """The folder in which the doors of a node's plugins are."""
    return pathlib.Path("/run/radix", short_name(state)) if os.geteuid() == 0 else state / "doors"


class Lab:
    """One lab, in a folder, an address range and with ports of its own."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="radix-test-"))
        self.state = self.folder / "lab"
        self.range = f"127.{random.randrange(100, 250)}.{random.randrange(256)}.0/26"
        self.port = random.randrange(10000, 30000)
        self.environment = dict(os.environ, XDG_STATE_HOME=str(self.folder / "home"), RADIX_LAB=str(self.state))
        self.flags = ["--range", self.range, "--port", str(self.port)]

    def command(self, *arguments):
        return [str(RADIX), *map(str, arguments)]

    def run(self, *arguments, timeout=120):
        """Runs `radix` and returns what it did, whatever that was."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def ok(self, *arguments, timeout=120):
        """Runs `radix`, which must succeed, and returns its output."""
        done = self.run(*arguments, timeout=timeout)
        if done.returncode != 0:
            logs = self.logs(60) if arguments[:2] == ("lab", "up") else ""  # the folder goes with the test
            raise AssertionError(
                f"radix {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout}{done.stderr}{logs}"
            )
        return done.stdout

    def json(self, *arguments, timeout=120):
        return json.loads(self.ok(*arguments, "-o", "json", timeout=timeout))

    def try_json(self, *arguments):
        """The same, or None while nobody answers."""
        done = self.run(*arguments, "-o", "json")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def up(self, nodes):
        return self.json("lab", "up", "--nodes", nodes, *self.flags)

    def down(self):
        """Takes the lab down and removes it; fails when something is left running."""
        done = self.run("lab", "down")
        left = self.processes()
        if done.returncode != 0 or left:
            for pid in left:
                os.kill(pid, 9)
            raise AssertionError(f"lab down: {done.stdout}{done.stderr}; left running: {left}")
        for node in self.state.iterdir() if self.state.exists() else ():
            shutil.rmtree(doors_of(node), ignore_errors=True)  # what a node leaves that was killed
        shutil.rmtree(self.folder)

    def processes(self):
        """The pids of all that run for this lab, found without asking it."""
        mark = str(self.state).encode()
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                line = (entry / "cmdline").read_bytes()
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            is_fulcrum = line.split(b"\0")[0].endswith(b"fulcrum") and b"--state\0" + mark in line
            if is_fulcrum or (b"RADIX_SUPERVISOR_STATE=" + mark in environment and b"RADIX_SUPERVISOR_PID=" in environment):
                found.append(int(entry.name))
        return found

    def leader(self, node=None, above=0):
        """(name, epoch) of the sealed leader that `node` knows of by name, under an epoch above `above`; or None."""
        members = self.try_json("members", *(["--node", node] if node else [])) or []
        for member in members:
            known = member["leader"] and member["node"]  # a node that has just started learns names last
            if known and member["epoch"] > above and member["state"] == "alive":
                return member["node"], member["epoch"]
        return None

    def await_leader(self, node=None):
        """The same, when there must soon be one."""
        return wait_for(lambda: self.leader(node), 60, lambda: f"a leader: {self.try_json('members')}")

    def serving(self, node=None, key="inst"):
        """The set of (node, inst) that serve, as `node` sees it; of (node, api) with that as the key."""
        services = self.try_json("services", *(["--node", node] if node else [])) or []
        return {(each["node"], each[key]) for each in services if each["status"] == "serving"}

    def where(self, inst, node=None):
        """The nodes on which `inst` serves, as `node` sees it: sorted, one for each instance."""
        services = self.try_json("services", *(["--node", node] if node else [])) or []
        return sorted(e["node"] for e in services if (e["inst"], e["status"]) == (inst, "serving"))

    def logs(self, lines=15):
        """The ends of all logs, for a test that failed."""
        text = ""
        for log in sorted(self.state.glob("*/log/*.log")):
            tail = log.read_text(errors="replace").splitlines()[-lines:]
            text += f"--- {log.parent.parent.name}/{log.name}\n" + "\n".join(tail) + "\n"
        return text


def take_down_after(test_case, lab):
    """Has the class's lab taken down at its end; prints its logs when a test failed or RADIX_TEST_LOGS is set."""

    def finish():
        if os.environ.get("RADIX_TEST_LOGS"):
            print(lab.logs(), file=sys.stderr)
        lab.down()

    test_case.addClassCleanup(finish)
