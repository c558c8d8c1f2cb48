"""`radix keys revoke NODE --rotate`: the key that the node has opens nothing any more, and it is told no other."""

import unittest

from lab import Lab, take_down_after, wait_for


class RevokeRotateTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.up(5)

    def test_the_revoked_leader_is_told_no_key(self):
        revoked, _ = self.lab.await_leader()
        other = next(node for node in ("n1", "n2", "n3") if node != revoked)
        old = (self.lab.state / "secondary.key").read_text().split()
        events = len(self.secondary_changes(revoked))
        said = self.lab.json("keys", "revoke", revoked, "--rotate", "--node", other)
        self.assertEqual([rotation["done"] for rotation in said["rotations"]], [["install", "use", "remove"]] * 2)
        new = (self.lab.state / "secondary.key").read_text().split()
        self.assertEqual(set(old) & set(new), set())
        self.assertEqual(len(self.secondary_changes(revoked)), events, "the revoked node was told a key")
        self.lab.ok("horde", "create", "shop", "--node", other)
        refused = self.lab.run("horde", "admit", "shop", revoked, "--node", other)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("was revoked", refused.stderr)
        self.assertGreaterEqual(len(self.secondary_changes(other)), 4)  # the next, in use; twice

    def secondary_changes(self, node):
        events = wait_for(lambda: self.lab.try_json("flock", "events", "--node", node), 10, f"events of {node}")
        return [event for event in events if event["kind"] == "secondary-changed"]

    def test_a_key_is_no_node(self):
        done = self.lab.run("keys", "revoke", "ab" * 32, "--rotate")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--rotate", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
