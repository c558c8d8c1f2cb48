"""The secondary key is rotated by command while nodes die and come back."""

import os
import re
import shutil
import stat
import subprocess
import unittest

from lab import Lab, take_down_after, wait_for

NODES = ["n1", "n2", "n3", "n4", "n5"]
ROTATE = ["keys", "rotate", "secondary"]


class KeyRotationTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.up(5)
        # All nodes of a lab share it: see DESIGN.md.
        cls.key_file = cls.lab.state / "secondary.key"

    def keys(self, node="n1"):
        return self.lab.try_json("keys", "status", "--node", node)

    def lines(self):
        return self.key_file.read_text().splitlines()

    def alive(self, node):
        members = self.lab.try_json("members", "--node", node) or []
        return {member["node"] for member in members if member["state"] == "alive"}

    def await_all(self, node):
        """Until every node is alive and has acknowledged, by the word of a leader."""

        def settled():
            keys = self.keys(node)
            return self.alive(node) == set(NODES) and keys and keys["acknowledged"] == 5 and keys

        return wait_for(settled, 60, lambda: f"{self.keys(node)}\n{self.lab.logs()}")

    def follower(self, *others):
        leader, _ = self.lab.await_leader()
        return leader, next(node for node in NODES if node != leader and node not in others)

    def kill(self, node):
        """kill -9, all of it at once."""
        self.lab.ok("lab", "kill", node)

    def restore(self, copy):
        """Puts `copy` where the nodes look for the key file, at once and whole."""
        place = self.key_file.with_suffix(".restored")
        shutil.copy(copy, place)
        os.chmod(place, 0o600)
        os.replace(place, self.key_file)

    def test_every_node_rewrites_its_key_file_and_shows_each_phase(self):
        before = self.await_all("n1")
        old = self.lines()[0]
        out = self.lab.ok(*ROTATE, "--node", "n2")
        self.assertIn(before["current"], out)
        after = self.await_all("n3")
        self.assertEqual(after["previous"], before["current"])
        self.assertIsNone(after["next"])
        self.assertEqual(after["phase"], "idle")
        lines = self.lines()
        self.assertNotEqual(lines[0], old)
        self.assertEqual(lines[1], old)
        self.assertEqual(stat.S_IMODE(self.key_file.stat().st_mode), 0o600)
        for line in lines:
            self.assertRegex(line, re.compile(r"^[0-9a-f]{64}$"))
        for node in NODES:
            events = self.lab.json("flock", "events", "--node", node)
            phases = [event["evidence"] for event in events if event["kind"] == "secondary-changed"]
            self.assertIn("key-installed", phases, node)
            self.assertIn("key-used", phases, node)

    def test_a_phase_that_is_run_twice_changes_nothing(self):
        before = self.await_all("n1")
        for phase in ("install", "use", "remove"):
            self.lab.ok(*ROTATE, "--phase", phase)
            once = self.await_all("n1")
            lines = self.lines()
            self.lab.ok(*ROTATE, "--phase", phase, "--node", "n4")
            twice = self.await_all("n1")
            self.assertEqual([twice[key] for key in ("current", "previous", "next", "phase")],
                             [once[key] for key in ("current", "previous", "next", "phase")], phase)
            self.assertEqual(self.lines(), lines, phase)
        self.assertEqual(twice["previous"], before["current"])
        # All of it again for the same key: it was done before.
        self.lab.ok(*ROTATE, "--from", before["current"])
        self.assertEqual(self.keys()["current"], twice["current"])

    def test_it_goes_on_when_the_leader_is_killed_between_phases_and_in_one(self):
        before = self.await_all("n1")
        leader, asked = self.follower()
        epoch = self.lab.await_leader(asked)[1]
        rotation = [*ROTATE, "--from", before["current"], "--node", asked, "--timeout", 60]
        self.lab.ok(*rotation, "--phase", "install")
        with subprocess.Popen(
            self.lab.command(*rotation), env=self.lab.environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        ) as running:
            self.kill(leader)
            _, errors = running.communicate(timeout=200)
        # Whether it got through depends on the moment; run again, it goes on from there.
        self.lab.ok(*rotation, timeout=200)
        now = wait_for(lambda: self.lab.leader(asked), 30, "a leader")
        self.assertGreater(now[1], epoch, errors)
        self.assertEqual(self.keys(asked)["previous"], before["current"])
        self.lab.ok("lab", "start", leader, "--node", asked)
        self.await_all(asked)

    def test_a_node_killed_in_the_middle_of_any_phase_comes_back(self):
        for phase in ("install", "use", "remove"):
            before = self.await_all("n1")
            leader, victim = self.follower("n1")
            asked = next(node for node in NODES if node not in (leader, victim))
            start = before["previous"] if phase == "remove" else before["current"]
            with subprocess.Popen(
                self.lab.command(*ROTATE, "--phase", phase, "--from", start, "--node", asked, "--timeout", 60),
                env=self.lab.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            ) as running:
                self.kill(victim)
                _, errors = running.communicate(timeout=200)
            self.assertEqual(running.returncode, 0, errors)  # the dead are not waited for, once they are removed
            self.lab.ok("lab", "start", victim, "--node", asked)
            self.await_all(asked)

    def test_a_node_that_was_away_for_one_rotation_comes_back_by_its_old_key_and_not_after_two(self):
        self.await_all("n1")
        leader, sleeper = self.follower("n1")
        asked = next(node for node in NODES if node not in (leader, sleeper))
        own = self.lab.folder / "old.key"
        shutil.copy(self.key_file, own)
        self.kill(sleeper)
        wait_for(lambda: sleeper not in self.alive(asked), 30, f"{sleeper} removed")
        self.lab.ok(*ROTATE, "--node", asked)
        # On a machine of its own it would have only its old file.
        self.restore(own)
        self.lab.ok("lab", "start", sleeper, "--node", asked)
        self.await_all(asked)

        self.kill(sleeper)
        wait_for(lambda: sleeper not in self.alive(asked), 30, f"{sleeper} removed again")
        self.lab.ok(*ROTATE, "--node", asked)
        current = self.lab.folder / "current.key"
        shutil.copy(self.key_file, current)
        self.restore(own)
        log = self.lab.state / sleeper / "log" / "flock.log"
        size = log.stat().st_size
        with subprocess.Popen(
            self.lab.command("lab", "start", sleeper, "--node", asked), env=self.lab.environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as starting:  # it waits until the node is ready, and that one never will be
            wait_for(lambda: b"copy the key file" in log.read_bytes()[size:], 60, "it says what to do")
            self.assertNotIn(sleeper, self.alive(asked))
            starting.terminate()
        self.restore(current)
        if sleeper in {node["node"] for node in self.lab.json("lab", "status")["nodes"] if node["running"]}:
            self.kill(sleeper)
        self.lab.ok("lab", "start", sleeper, "--node", asked)
        self.await_all(asked)

    def test_it_is_refused_while_a_node_does_not_acknowledge_and_forced_by_whoever_accepts_the_price(self):
        before = self.await_all("n1")
        leader, full = self.follower()
        asked = next(node for node in NODES if node not in (leader, full))
        obstacle = self.lab.state / f"secondary.key.{full}.new"
        obstacle.mkdir()
        rotation = [*ROTATE, "--node", asked, "--timeout", 2]
        refused = self.lab.run(*rotation)
        self.assertEqual(refused.returncode, 1)
        self.assertIn(full, refused.stderr)
        self.assertIn("--force", refused.stderr)
        keys = self.keys(asked)
        self.assertEqual((keys["phase"], keys["current"]), ("installed", before["current"]))
        self.assertEqual([m["node"] for m in keys["members"] if not m["acknowledged"]], [full])
        self.lab.ok(*rotation, "--force")
        self.assertEqual(self.keys(asked)["previous"], before["current"])
        obstacle.rmdir()
        self.await_all(asked)

    def test_bad_usage_is_said_and_changes_nothing(self):
        before = self.await_all("n1")
        for arguments, code in (
            (["keys", "rotate"], 2),
            (["keys", "rotate", "transient"], 2),
            ([*ROTATE, "--phase", "reuse"], 2),
            ([*ROTATE, "--from", "xyz"], 2),
            ([*ROTATE, "--from", "00000001"], 1),
            ([*ROTATE, "--phase", "use", "--from", before["current"]], 1),
        ):
            done = self.lab.run(*arguments)
            self.assertEqual(done.returncode, code, f"{arguments}: {done.stderr}")
            self.assertTrue(done.stderr)
        self.assertEqual(self.await_all("n1")["current"], before["current"])


if __name__ == "__main__":
    unittest.main()
