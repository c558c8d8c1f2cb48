"""What happened in the flock can be explained afterwards: who accused whom, who led when, and why a
node is no member."""

import ipaddress
import json
import subprocess
import threading
import unittest

from lab import Lab, take_down_after, wait_for

NODES = ["n1", "n2", "n3"]


class FlockEventsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.up(3)

    def why(self, node, about, code=0):
        """The story of `about` as `node` tells it."""
        done = self.lab.run("flock", "why", about, "--node", node, "-o", "json")
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout)

    def events(self, asked, **wanted):
        """Those of the events of `asked` whose fields are as wanted, oldest first."""
        events = self.lab.json("flock", "events", "--node", asked)
        return [event for event in events if all(event[key] == value for key, value in wanted.items())]

    def test_the_leaders_death_is_explained_and_so_is_its_return(self):
        leader, epoch = wait_for(self.lab.leader, 30, "a leader")
        survivors = [node for node in NODES if node != leader]
        witness = survivors[0]
        self.assertTrue(self.events(witness, kind="sealed-leader", node=leader, epoch=epoch))
        before = self.why(witness, leader)
        self.assertEqual((before["verdict"], before["state"], before["leader"]), ("member", "alive", True))
        self.assertEqual(before["events"][0]["kind"], "joined")

        follower = subprocess.Popen(
            self.lab.command("flock", "events", "--follow", "--node", witness),
            env=self.lab.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        limit = threading.Timer(60, follower.kill)  # then there is no such line
        limit.start()
        try:
            self.lab.ok("lab", "kill", leader)
            died_line = next((line for line in follower.stdout if "  died " in line), "")
        finally:
            limit.cancel()
            follower.kill()
            follower.wait()
            follower.stdout.close()
        self.assertIn(leader, died_line)
        self.assertIn("accused by", died_line)

        # The node that is gone: who suspected it, and when it was removed.
        story = self.why(witness, leader)
        self.assertEqual((story["verdict"], story["state"]), ("dead", "dead"))
        kinds = [event["kind"] for event in story["events"]]
        suspected = story["events"][kinds.index("suspected")]
        died = story["events"][kinds.index("died")]
        self.assertLess(kinds.index("joined"), kinds.index("suspected"))
        self.assertLess(kinds.index("suspected"), kinds.index("died"))
        self.assertLess(suspected["time"], died["time"])
        self.assertRegex(died["time"], r"^20[0-9-]+T[0-9:]+(\.[0-9]+)?Z$")
        self.assertEqual(died["evidence"], "suspicion-expired")
        accusers = {party["node"] for party in died["accusers"]}
        self.assertTrue(accusers and accusers <= set(survivors), died)
        own = [e for e in story["events"] if e["evidence"] == "probes-unanswered"]
        for event in own:
            self.assertIn(witness, {party["node"] for party in event["accusers"]})
        by_address = self.why(witness, story["address"])["events"]
        self.assertEqual(by_address[: len(story["events"])], story["events"])
        text = self.lab.ok("flock", "why", leader, "--node", witness).splitlines()
        self.assertIn("it was removed", text[0])
        # Meanwhile more may have happened: the successor, for example, tells what it saw.
        self.assertGreaterEqual(len(text), 1 + len(story["events"]))
        self.assertLessEqual(len(text), 1 + len(self.why(witness, leader)["events"]))

        # The leader's end and the next one's beginning, with their epochs.
        successor, later = wait_for(lambda: self.lab.leader(witness, above=epoch), 30, "a new leader")
        lost = self.events(witness, kind="sealed-leader-lost", node=leader, epoch=epoch)
        self.assertEqual(len(lost), 1)
        kind = "sealed" if successor == witness else "sealed-leader"
        sealed = wait_for(
            lambda: self.events(witness, kind=kind, node=successor, epoch=later), 10, "its event"
        )
        self.assertLess(lost[0]["sequence"], sealed[0]["sequence"])
        self.assertGreater(later, epoch)

        # It comes back, as another boot.
        self.lab.ok("lab", "start", leader, "--node", witness)
        back = wait_for(
            lambda: (s := self.why(witness, leader))["verdict"] == "member" and s, 30, "it is back"
        )
        self.assertNotEqual(back["boot"], before["boot"])
        again = [e for e in back["events"] if e["kind"] == "joined"][-1]
        self.assertEqual((again["evidence"], again["boot"]), ("replaced-by-boot", back["boot"]))

    def test_says_why_a_node_is_no_member(self):
        unused = str(ipaddress.ip_network(self.lab.range)[7])
        never = self.why("n1", unused, code=1)
        self.assertEqual((never["verdict"], never["address"]), ("never-heard", unused))
        self.assertIsNone(never["state"])
        self.assertEqual(never["events"], [])
        self.assertEqual(self.why("n1", "10.1.2.3", code=1)["verdict"], "out-of-range")
        self.assertEqual(self.why("n1", "n99", code=1)["verdict"], "unknown-name")
        done = self.lab.run("flock", "why", "10.1.2.3")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("in none of the charter's ranges", done.stderr)

    def test_refuses_what_makes_no_sense(self):
        for arguments in (("why", "No Node"), ("why",), ("events", "--limit", "0"), ("events", "--limit", "x"), ()):
            done = self.lab.run("flock", *arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertTrue(done.stderr, arguments)
        self.assertEqual(len(self.lab.json("flock", "events", "--limit", 2)), 2)


if __name__ == "__main__":
    unittest.main()
