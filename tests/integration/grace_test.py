"""A node that has had no leader for longer than the rules' grace lets in no callers from other nodes: it cannot hear what was revoked."""

import json
import subprocess
import unittest

from lab import PROGRAMS, Lab, galumph_manifest, take_down_after, wait_for

GRACE = 5
RULES = f"""\
grace {GRACE}
call default/* default/*
serve default/* default/*
"""


class GraceTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.ok("lab", "up", "--nodes", 5, "--label", "n1:KV", *cls.lab.flags)

    def call(self, node):
        """(calls that were answered, what others ended with) from there, in a second."""
        done = subprocess.run([PROGRAMS / "galumph_client", "--state", self.lab.state / node, "--threads", "1", "--seconds", "1"],
                              capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
        counts = json.loads(done.stdout)
        return sum(counts["insts"].values()), " ".join(counts["errors"])

    def test_without_a_leader_callers_from_elsewhere_are_let_in_for_so_long_and_again_with_one(self):
        rules = self.lab.folder / "grace.rules"
        rules.write_text(RULES)
        self.assertEqual(self.lab.json("rules", "apply", rules)["grace_s"], GRACE)
        manifest = self.lab.folder / "galumph.yaml"
        manifest.write_text(galumph_manifest(1, nodes="LABEL(KV)"))
        self.lab.ok("apply", manifest)
        wait_for(lambda: self.lab.where("galumph2_3", "n2") == ["n1"], 60, self.lab.logs)
        for node in ("n1", "n2"):
            answered, errors = self.call(node)
            self.assertGreater(answered, 0)
            self.assertEqual(errors, "")

        for node in ("n3", "n4", "n5"):
            self.lab.ok("lab", "kill", node)
        wait_for(lambda: "no leader for so long" in self.call("n2")[1], 60, self.lab.logs)
        self.assertEqual(self.call("n2")[0], 0)
        self.assertGreater(self.call("n1")[0], 0, "who is on the same node goes on")

        for node in ("n3", "n4", "n5"):
            self.lab.ok("lab", "start", node)
        wait_for(lambda: self.call("n2")[0] > 0, 60, self.lab.logs)


if __name__ == "__main__":
    assert (PROGRAMS / "galumph2_3").exists(), f"{PROGRAMS} has no galumph2_3"
    unittest.main(verbosity=2)
