"""Disks that lose the group's decisions: what was acknowledged stays, and the nodes catch up by themselves."""

import os
import pathlib
import signal
import unittest

from lab import PROGRAMS, Lab, galumph_manifest, take_down_after, wait_for


class DamageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.up(5)

    def apply(self, count, node):
        path = self.lab.folder / "galumph.yaml"
        path.write_text(galumph_manifest(count))
        return self.lab.json("apply", path, "--node", node)["revision"]

    def await_done(self, count, node, nodes):
        def done():
            status = self.lab.try_json("status", "--node", node)
            return status and status["doneness"] == 1 and len(status["nodes"]) == nodes and status

        status = wait_for(done, 60, lambda: f"{nodes} nodes, doneness 1: {self.lab.run('status', '--node', node)}")
        self.assertEqual(len(self.lab.where("galumph2_3", node)), count)
        return status

    def database(self, node):
        return self.lab.state / node / "desired.db"

    def complaints(self, node):
        log = (self.lab.state / node / "log" / "dean.log").read_text()
        return log.count("were damaged:")

    def kill_dean(self, node):
        """SIGKILL for the dean of `node`, of which its picket starts another."""
        for pid in self.lab.processes():
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if words[1:2] == [b"dean"] and words[words.index(b"--name") + 1] == node.encode():
                os.kill(pid, signal.SIGKILL)
                return
        raise AssertionError(f"{node} has no dean")

    def test_nodes_that_lost_their_decisions_get_them_again_and_lose_none(self):
        revision = self.apply(3, "n1")
        self.await_done(3, "n1", 5)
        leader, epoch = self.lab.await_leader()
        first, second = [node for node in ("n1", "n2", "n3", "n4", "n5") if node != leader][:2]
        for node in (first, second):
            self.lab.ok("lab", "kill", node)
        bytes_before = self.database(first).read_bytes()
        middle = len(bytes_before) // 2
        self.database(first).write_bytes(bytes_before[:middle] + b"\xff" * 300 + bytes_before[middle + 300 :])
        os.truncate(self.database(second), 700)
        for node in (first, second):
            self.lab.ok("lab", "start", node)
        self.await_done(3, leader, 5)
        for node in (first, second):
            self.assertEqual(self.complaints(node), 1)
            self.assertTrue((self.lab.state / node / "desired.db.damaged-1").exists())

        # They count again: with the leader and another dead, they are two of the quorum of three.
        others = [node for node in ("n1", "n2", "n3", "n4", "n5") if node not in (leader, first, second)]
        for node in (leader, others[0]):
            self.lab.ok("lab", "kill", node)
        wait_for(lambda: self.lab.leader(first, above=epoch), 60, "another leader")
        self.assertEqual(self.await_done(3, first, 3)["revision"], revision)
        for node in (leader, others[0]):
            self.lab.ok("lab", "start", node)
        self.await_done(3, first, 5)

    def test_a_leader_whose_own_decisions_were_damaged_leads_on(self):
        leader, _ = self.lab.await_leader()
        before = self.apply(2, leader)
        self.await_done(2, leader, 5)
        os.truncate(self.database(leader), 700)
        self.kill_dean(leader)
        wait_for(lambda: self.complaints(leader) > 0, 30, "the dean's complaint")
        after = self.apply(4, leader)
        self.assertGreater(after, before)
        self.assertEqual(self.await_done(4, leader, 5)["revision"], after)
        self.assertEqual(self.lab.await_leader()[0], leader, "it was no reason to lose the lead")


if __name__ == "__main__":
    assert (PROGRAMS / "galumph2_3").exists(), f"{PROGRAMS} has no galumph2_3"
    unittest.main()
