"""A node is revoked, the leader at that: it leads nothing any more, whoever dies and comes back; and rotations of the key shut it out."""

import os
import shutil
import subprocess
import time
import unittest

from lab import PROGRAMS, Lab, galumph_manifest, take_down_after, wait_for

NODES = ["n1", "n2", "n3", "n4", "n5"]


class RevokedNodeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.up(5)

    def members(self, node):
        return {member["node"]: member for member in self.lab.try_json("members", "--node", node) or []}

    def alive(self, node):
        return {name for name, member in self.members(node).items() if member["state"] == "alive"}

    def sealings(self, node):
        """How often its flock said that it was sealed, over all its boots."""
        return (self.lab.state / node / "log" / "flock.log").read_text(errors="replace").count(" sealed: ")

    def boots(self, node):
        """How often its flock has begun to serve, by its log."""
        return (self.lab.state / node / "log" / "flock.log").read_text(errors="replace").count(" serves at ")

    def start(self, node, waits=True):
        """`lab start` waits until the group has the node. Where that cannot be, or not yet, it is left alone after it has begun."""
        if waits:
            self.lab.ok("lab", "start", node)
            return
        command = subprocess.Popen(self.lab.command("lab", "start", node), env=self.lab.environment, stderr=subprocess.DEVNULL)
        wait_for(lambda: command.poll() is not None or self.runs(node), 30, f"{node} runs")
        command.kill()
        command.wait()
        self.assertTrue(self.runs(node))

    def runs(self, node):
        return any(each["running"] for each in self.lab.json("lab", "status")["nodes"] if each["node"] == node)

    def await_leader(self, node, above=0):
        return wait_for(lambda: self.lab.leader(node, above=above), 60, lambda: f"{self.members(node)}\n{self.lab.logs()}")

    def replace(self, place, source):
        """At once and whole."""
        beside = place.with_suffix(".beside")
        shutil.copy(source, beside)
        os.chmod(beside, 0o600)
        os.replace(beside, place)

    def test_what_cannot_be_revoked_is_refused(self):
        revoked = {name for name, member in self.members("n1").items() if member["revoked"]}
        for subject, code, why in (("n7", 1, "no member is called 'n7'"), ("No Such!", 2, "neither a node's name")):
            done = self.lab.run("keys", "revoke", subject)
            self.assertEqual(done.returncode, code, done.stdout)
            self.assertIn(why, done.stderr)
        self.assertLessEqual({name for name, member in self.members("n1").items() if member["revoked"]}, revoked)

    def test_a_revoked_leader_leads_nothing_any_more_and_rotations_shut_it_out(self):
        manifest = self.lab.folder / "galumph.yaml"
        manifest.write_text(galumph_manifest("size(ALL)", nodes="ALL"))
        self.lab.ok("apply", manifest)
        wait_for(lambda: self.lab.where("galumph2_3") == NODES, 60, self.lab.logs)
        revoked, epoch = self.lab.await_leader()
        others = [node for node in NODES if node != revoked]
        sealed = self.sealings(revoked)
        self.assertGreater(sealed, 0)
        self.revoke_the_leader(revoked, others, epoch)
        self.let_them_die_and_come_back(revoked, others)
        self.rotate_twice(revoked, others)
        self.assertEqual(self.sealings(revoked), sealed, "it was never sealed again")

    def revoke_the_leader(self, revoked, others, epoch):
        begin = time.monotonic()
        said = self.lab.json("keys", "revoke", revoked, "--node", others[0])
        self.assertEqual(said["revoked"], revoked)
        self.assertEqual(said["next"], ["radix keys rotate secondary"] * 2)
        for node in others:
            leader, _ = self.await_leader(node, above=epoch)
            self.assertIn(leader, others, node)
        took = time.monotonic() - begin
        print(f"another leader {took:.1f} s after the command was given")
        self.assertLess(took, 10)
        for node in others:
            members = self.lab.json("members", "--node", node)
            self.assertEqual([member["node"] for member in members if member["revoked"]], [revoked], f"{node} shows {members}")
        story = self.lab.json("flock", "why", revoked, "--node", others[0])
        self.assertTrue(story["revoked"])
        self.assertIn("its key was revoked", story["summary"])
        self.assertIn("revoked", [event["kind"] for event in story["events"]])
        # To the proctor there are four nodes now.
        wait_for(lambda: self.lab.where("galumph2_3", others[0]) == others, 60, self.lab.logs)
        self.assertEqual(self.lab.json("status", "--wait", "--node", others[0])["doneness"], 1)

    def let_them_die_and_come_back(self, revoked, others):
        self.lab.ok("lab", "kill", revoked)
        self.start(revoked, waits=False)
        leader, epoch = self.await_leader(others[0])
        witness = next(node for node in others if node != leader)
        self.lab.ok("lab", "kill", leader)
        self.assertIn(self.await_leader(witness, above=epoch)[0], others)
        self.start(leader)
        # Nobody is there who could tell them: they have to remember it.
        for node in others:
            self.lab.ok("lab", "kill", node)
        for node in others:
            self.start(node, waits=False)
        for node in others:
            self.assertIn(self.await_leader(node)[0], others)
        self.assertEqual(self.alive(revoked) & set(others), set(), "nobody lets it in")

    def rotate_twice(self, revoked, others):
        asked = others[0]
        key_file = self.lab.state / "secondary.key"
        old = self.lab.folder / "old.key"
        shutil.copy(key_file, old)

        def acknowledged():
            keys = self.lab.try_json("keys", "status", "--node", asked) or {"acknowledged": 0, "members": []}
            return keys["acknowledged"] == 4 and {member["node"] for member in keys["members"]} == set(others)

        wait_for(acknowledged, 60, self.lab.logs)
        for _ in range(2):
            self.lab.ok("keys", "rotate", "secondary", "--node", asked)
        new = self.lab.folder / "new.key"
        shutil.copy(key_file, new)
        self.assertNotIn(old.read_text().split()[0], new.read_text().split())
        # It boots with the key that it had. The nodes of a lab share the file, so it has to be put back for a moment.
        self.lab.ok("lab", "kill", revoked)
        unread = self.unread(others)
        self.replace(key_file, old)
        boots = self.boots(revoked)
        self.start(revoked, waits=False)
        wait_for(lambda: self.boots(revoked) > boots, 30, "its flock serves, so it has read the file")
        self.replace(key_file, new)
        wait_for(lambda: self.unread(others) > unread, 60, lambda: f"{self.members(revoked)}\n{self.lab.logs()}")
        self.assertEqual(self.alive(revoked), {revoked})
        self.assertEqual(self.alive(asked), set(others))

    def unread(self, nodes):
        """First words under keys that they do not have."""
        return sum(self.lab.json("flock", "counters", "--node", node)["unknown_key"] for node in nodes)


if __name__ == "__main__":
    assert (PROGRAMS / "galumph2_3").exists(), f"{PROGRAMS} has no galumph2_3"
    unittest.main(verbosity=2)
