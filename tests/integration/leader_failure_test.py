"""The leader's death: another one takes over, and its steward knows everything that lives."""

import os
import signal
import unittest

from lab import Lab, take_down_after, wait_for

NODES = ["n1", "n2", "n3", "n4", "n5"]


class LeaderFailureTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.up(5)

    def await_successor(self, dead, epoch):
        """Waits until every survivor follows one new leader and sees all that serves; returns it."""
        survivors = [node for node in NODES if node not in dead]
        expected = {
            (node, api)
            for node in survivors
            for api in ("flock1", "heartbeater1", "reeve1", "picket1", "dean1", "pastiche1")
        }

        def settled():
            leaders = {self.lab.leader(node, above=epoch) for node in survivors}
            if len(leaders) != 1 or None in leaders:
                return None
            leader = leaders.pop()
            wanted = expected | {(leader[0], "steward1"), (leader[0], "proctor1")}
            for node in survivors:
                serving = self.lab.serving(node, "api")
                if not wanted <= serving or any(where in dead for where, _ in serving):
                    return None
            return leader

        return wait_for(settled, 60, lambda: self.lab.logs())

    def test_a_new_leader_takes_over_and_the_old_one_comes_back_as_a_member(self):
        leader, epoch = self.lab.await_leader()
        pid = next(n["pid"] for n in self.lab.json("lab", "status")["nodes"] if n["node"] == leader)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not self.gone_wrong(leader), 5, f"every process of {leader} gone")

        successor, later = self.await_successor({leader}, epoch)
        self.assertNotEqual(successor, leader)
        self.assertGreater(later, epoch)

        self.lab.ok("lab", "start", leader, "--node", successor)
        # It was said to serve once the first of the others knew it again.
        asked = "n1" if leader != "n1" else "n2"
        self.assertIn(leader, {member["node"] for member in self.alive(asked)})
        self.assertIn((leader, "dean1"), self.lab.serving(asked, "api"))
        wait_for(lambda: len(self.alive(successor)) == 5, 30, "five members again")
        self.await_successor(set(), epoch)
        # The working incumbent is not disturbed by the one that came back.
        self.assertEqual(self.lab.await_leader(successor)[0], successor)

    def test_a_minority_is_led_by_nobody_and_acknowledges_nothing(self):
        for node in ("n3", "n4", "n5"):
            self.lab.ok("lab", "kill", node)
        wait_for(
            lambda: self.lab.leader("n1") is None and self.lab.leader("n2") is None, 30, "no leader any more"
        )
        manifest = self.lab.folder / "none.yaml"
        manifest.write_text("version: 1\nname: none\nservices: []\nkhan: ''\n")
        refused = self.lab.run("apply", manifest, "--timeout", 2, "--node", "n1")
        self.assertEqual(refused.returncode, 1)
        self.assertTrue(refused.stderr)
        for node in ("n3", "n4", "n5"):
            self.lab.ok("lab", "start", node)
        self.await_successor(set(), 0)
        self.lab.ok("apply", manifest)

    def alive(self, node):
        members = self.lab.try_json("members", "--node", node) or []
        return [member for member in members if member["state"] == "alive"]

    def gone_wrong(self, node):
        """What still runs of a killed node."""
        left = []
        for pid in self.lab.processes():
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as line, open(f"/proc/{pid}/environ", "rb") as environ:
                    text = line.read() + b"\0" + environ.read() + b"\0"
            except OSError:
                continue
            if f"{self.lab.state}/{node}\0".encode() in text:
                left.append(pid)
        return left


if __name__ == "__main__":
    unittest.main()
