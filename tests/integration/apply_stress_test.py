"""Two hundred manifests from three nodes at once, while one leader after another is killed: what was acknowledged is there.

RADIX_STRESS=N makes it N times as long.
"""

import json
import os
import sys
import threading
import unittest

from lab import PROGRAMS, Lab, galumph_manifest, take_down_after, wait_for

TIMES = int(os.environ.get("RADIX_STRESS", "1"))
NODES = ("n1", "n2", "n3", "n4", "n5")
APPLIERS = NODES[:3]
COUNT = 60 * TIMES  # versions that each applies
NAMES = 20  # of how many manifests
SHARED_EVERY = 9  # versions, for one of a manifest that all three replace
BETWEEN_DEATHS = 40  # acknowledgements

# Places nothing: what is tried here is the keeping. Each version has a file of its own.
KEPT = """\
version: 1
name: {name}
services:
  - name: first
    api: stress1
    inst: {inst}
    file: {file}
  - name: second
    api: stress2
    inst: {inst}
    file: {file}
khan: |
  pick(first, 0, ALL)
  pick(second, 0, ALL)
"""

# How a refused apply may end: each says what to do.
ADVICE = ("try again", "apply again", "radix lab status")


class Applier(threading.Thread):
    """Applies one manifest after another at one node, each again until it is acknowledged."""

    def __init__(self, lab, node):
        super().__init__()
        self.lab = lab
        self.node = node
        self.kept = []  # (revision, name, what), in the order of the acknowledgements
        self.refusals = []
        self.failure = None

    def run(self):
        try:
            for i in range(COUNT):
                self.apply_version(f"{self.node}-{i % NAMES}", f"{self.node}.{i}")
                if i % SHARED_EVERY == 0:
                    count = 1 + (i // SHARED_EVERY + APPLIERS.index(self.node)) % len(NODES)
                    # What runs in the end is what was acknowledged last.
                    self.apply("shared", galumph_manifest(count, name="shared"), count)
        except BaseException as failure:  # the test's own thread raises it
            self.failure = failure

    def apply_version(self, name, inst):
        file = self.lab.folder / f"program-{inst}"
        file.write_text(f"#!/bin/sh\n# {inst}\n")
        file.chmod(0o755)
        self.apply(name, KEPT.format(name=name, inst=inst, file=file), inst)

    def apply(self, name, text, what):
        path = self.lab.folder / f"{self.node}.yaml"
        path.write_text(text)

        def kept():
            done = self.lab.run("apply", path, "--node", self.node, "-o", "json")
            if done.returncode != 0:
                self.refusals.append((done.returncode, done.stderr))
                return None
            return json.loads(done.stdout)["revision"]

        self.kept.append((wait_for(kept, 120, lambda: f"{what} kept: {self.refusals[-1]}"), name, what))


class ApplyStressTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.up(len(NODES))

    def leader_above(self, epoch):
        for node in NODES:
            if found := self.lab.leader(node, above=epoch):
                return found
        return None

    def kill_leaders_under(self, appliers):
        """Kills the leader each time that it has got so many applies through, until all are; returns how many died."""
        deaths, epoch, enough = 0, 0, BETWEEN_DEATHS // 2
        busy = lambda: any(applier.is_alive() for applier in appliers)
        kept = lambda: sum(len(applier.kept) for applier in appliers)
        while True:
            wait_for(lambda: kept() >= enough or not busy(), 180, lambda: f"{enough} acknowledged: {kept()}")
            if not busy():
                return deaths
            leader, epoch = wait_for(lambda: self.leader_above(epoch), 60, f"a leader above epoch {epoch}")
            self.lab.ok("lab", "kill", leader)
            deaths += 1
            wait_for(lambda: self.leader_above(epoch), 60, f"a leader above epoch {epoch}")
            self.lab.ok("lab", "start", leader)
            enough = kept() + BETWEEN_DEATHS

    def test_what_was_acknowledged_is_there_whoever_leads_and_whoever_else_applied(self):
        appliers = [Applier(self.lab, node) for node in APPLIERS]
        for applier in appliers:
            applier.start()
        deaths = self.kill_leaders_under(appliers)
        for applier in appliers:
            applier.join()
            if applier.failure:
                raise applier.failure
        refusals = [refusal for applier in appliers for refusal in applier.refusals]
        print(f"{deaths} leaders died; {len(refusals)} were refused, and kept when tried again", file=sys.stderr)
        self.assertGreaterEqual(deaths, 3)
        for code, text in refusals:
            self.assertEqual(code, 1)
            self.assertTrue(any(advice in text for advice in ADVICE), f"says not what to do: {text}")

        status = self.lab.json("status", "--wait", "--timeout", 60, "--node", "n4")
        self.assertEqual(status["doneness"], 1, status["unmet"])
        there = {}
        for each in status["services"]:
            there.setdefault(each["manifest"], []).append((each["service"], each["inst"]))
        wanted = {"shared": [("galumph", "galumph2_3")]}
        for applier in appliers:  # of one name's versions the last counts, since they were one after another
            wanted |= {name: [("first", what), ("second", what)] for _, name, what in applier.kept if name != "shared"}
        del there["radix"]
        self.assertEqual(there, wanted)

        shared = [entry for applier in appliers for entry in applier.kept if entry[1] == "shared"]
        last = max(revision for revision, _, _ in shared)
        counts = {count for revision, _, count in shared if revision == last}  # one revision may hold several changes
        placed = lambda: len(self.lab.where("galumph2_3", "n4"))
        wait_for(lambda: placed() in counts, 60, lambda: f"{counts} of galumph: {placed()}")


if __name__ == "__main__":
    assert (PROGRAMS / "galumph2_3").exists(), f"{PROGRAMS} has no galumph2_3"
    unittest.main()
