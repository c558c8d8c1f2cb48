"""A node whose disk is full goes by what was decided before, for as long as the rules' grace, and everybody is told.

    full_disk_test.py PROGRAMS

Exit status 77, which CTest shows as skipped, where no file system can be mounted.
"""

import json
import os
import shutil
import subprocess
import sys
import unittest

from lab import PROGRAMS, Lab, galumph_manifest, take_down_after, wait_for

GRACE = 3
ALLOW = f"grace {GRACE}\ncall default/* default/*\nserve default/* default/*\n"
DENY = f"grace {GRACE}\nserve default/* default/*\n"
KEEPS_NONE = "keeps none of what is decided"


class FullDiskTest(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.down)
        self.lab.up(3)
        self.apply_rules(ALLOW)

    def apply_rules(self, text, code=0):
        rules = self.lab.folder / "some.rules"
        rules.write_text(text)
        done = self.lab.run("rules", "apply", rules)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr

    def on_small_disk(self, node):
        """Puts the folder of that node on a disk of its own."""
        self.lab.ok("lab", "kill", node)
        folder, kept = self.lab.state / node, self.lab.folder / f"kept-{node}"
        shutil.copytree(folder, kept, symlinks=True, ignore=shutil.ignore_patterns("*.sock", "doors"))
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", folder], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", folder], check=False)
        shutil.copytree(kept, folder, symlinks=True, dirs_exist_ok=True)
        self.lab.ok("lab", "start", node)

    def fill(self, node):
        file = self.lab.state / node / "ballast"
        with file.open("wb", buffering=0) as out:
            try:
                while out.write(bytes(4096)):
                    pass
            except OSError:
                pass  # it is full
        return file

    def unmet(self, node):
        status = self.lab.try_json("status", "--node", node) or {"unmet": []}
        return [each["node"] for each in status["unmet"] if KEEPS_NONE in each["reason"]]

    def call(self, node):
        """(calls that were answered, what others ended with) from there, in a second."""
        done = subprocess.run([PROGRAMS / "galumph_client", "--state", self.lab.state / node, "--threads", "1", "--seconds", "1"],
                              capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
        counts = json.loads(done.stdout)
        return sum(counts["insts"].values()), " ".join(counts["errors"])

    def test_who_cannot_keep_what_is_decided_lets_in_nobody_from_elsewhere(self):
        leader, _ = self.lab.await_leader()
        full, other = (node for node in ("n1", "n2", "n3") if node != leader)
        self.on_small_disk(full)
        manifest = self.lab.folder / "galumph.yaml"
        manifest.write_text(galumph_manifest("size(ALL)"))
        self.lab.ok("apply", manifest)
        wait_for(lambda: self.lab.where("galumph2_3", other) == ["n1", "n2", "n3"], 60, self.lab.logs)
        ballast = self.fill(full)
        self.apply_rules(DENY)
        wait_for(lambda: self.unmet(other) == [full], 30, lambda: self.lab.try_json("status"))
        wait_for(lambda: self.call(other)[0] == 0, 30, lambda: self.call(other))
        ballast.unlink()
        wait_for(lambda: self.unmet(other) == [], 30, lambda: self.lab.try_json("status"))
        self.apply_rules(ALLOW)
        wait_for(lambda: self.call(other)[0] > 0, 30, lambda: self.call(other))

    def test_a_leader_that_cannot_keep_it_is_named(self):
        for node in ("n1", "n2", "n3"):
            self.on_small_disk(node)
        leader, _ = self.lab.await_leader()
        other = next(node for node in ("n1", "n2", "n3") if node != leader)
        ballast = self.fill(leader)
        said = self.lab.run("horde", "create", "shop", "--node", other, "--timeout", "5")
        self.assertEqual(said.returncode, 1)
        self.assertIn(leader, said.stderr)
        self.assertIn(KEEPS_NONE, said.stderr)
        ballast.unlink()
        wait_for(lambda: self.lab.run("horde", "create", "shop", "--node", other).returncode == 0, 30, self.lab.logs)


if __name__ == "__main__":
    if os.geteuid() != 0 or not shutil.which("mount"):
        print("skipped: only root mounts a file system")
        sys.exit(77)
    unittest.main(verbosity=2)
