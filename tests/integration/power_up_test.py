"""Power-up: five nodes that know nothing of each other become one datacenter."""

import json
import re
import unittest

from lab import Lab, take_down_after, wait_for

EVERYWHERE = {"flock1", "heartbeater1", "reeve1", "picket1", "dean1", "pastiche1"}
ON_THE_LEADER = {"steward1", "proctor1"}


class PowerUpTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.up(5)
        # At once: what `lab up` waited for is there when it returns.
        cls.views = [cls.lab.json("members", "--node", f"n{i}") for i in range(1, 6)]

    def test_every_node_sees_the_same_members_and_one_leader(self):
        views = self.views
        for view in views:
            self.assertEqual([set(member) for member in view], [{"node", "address", "state", "leader", "revoked", "epoch"}] * 5)
            self.assertEqual([member["node"] for member in view], ["n1", "n2", "n3", "n4", "n5"])
            self.assertEqual({member["state"] for member in view}, {"alive"})
            self.assertEqual(sum(member["leader"] for member in view), 1)
            self.assertGreater(view[0]["epoch"], 0)
        self.assertEqual(len({json.dumps(view) for view in views}), 1)
        self.assertEqual(views[0][0]["address"], self.lab.range.replace(".0/26", ".1"))

    def test_every_node_sees_every_service(self):
        leader, _ = self.lab.await_leader()
        for i in range(1, 6):
            services = self.lab.json("services", "--node", f"n{i}")
            for service in services:
                self.assertEqual(
                    list(service), ["horde", "api", "inst", "node", "net_id", "status", "valid_until"]
                )
                self.assertRegex(service["net_id"], r"^127\.\d+\.\d+\.\d+:\d+$")
                self.assertRegex(service["valid_until"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
            serving = {(each["node"], each["api"]) for each in services if each["status"] == "serving"}
            for node in range(1, 6):
                for api in EVERYWHERE:
                    self.assertIn((f"n{node}", api), serving, f"as n{i} sees it")
            for api in ON_THE_LEADER:
                self.assertEqual([node for node, each in serving if each == api], [leader])
            self.assertTrue([node for node, each in serving if each == "healthminder1"])

    def test_the_basic_services_have_their_ports(self):
        services = self.lab.json("services")
        for service in services:
            port = int(service["net_id"].rsplit(":", 1)[1])
            if service["api"] == "reeve1":
                self.assertEqual(port, self.lab.port)
            if service["api"] == "steward1":
                self.assertEqual(port, self.lab.port + 1)

    def test_get_finds_an_api_and_an_inst(self):
        for name in ("reeve1", "reeve1_0"):
            found = self.lab.json("get", name, "--node", "n3")
            self.assertEqual(list(found), ["api", "inst", "node", "net_id"])
            self.assertEqual((found["api"], found["inst"], found["node"]), ("reeve1", "reeve1_0", "n3"))
        missing = self.lab.run("get", "nothing7")
        self.assertEqual(missing.returncode, 1)
        self.assertIn("nothing7", missing.stderr)

    def test_lab_status_shows_what_runs(self):
        status = self.lab.json("lab", "status")
        self.assertEqual(status["state"], str(self.lab.state))
        self.assertEqual([set(node) for node in status["nodes"]], [{"node", "address", "pid", "running"}] * 5)
        self.assertTrue(all(node["running"] for node in status["nodes"]))
        self.assertTrue({node["pid"] for node in status["nodes"]} <= set(self.lab.processes()))

    def test_a_second_lab_up_does_nothing_or_refuses(self):
        before = self.lab.json("lab", "status")
        again = self.lab.run("lab", "up", "--nodes", 5, *self.lab.flags)
        self.assertEqual((again.returncode, "already up" in again.stdout), (0, True), again.stderr)
        other = self.lab.run("lab", "up", "--nodes", 3, *self.lab.flags)
        self.assertEqual(other.returncode, 1)
        self.assertIn("5 nodes", other.stderr)
        self.assertEqual(self.lab.json("lab", "status"), before)

    def test_built_in_services_are_done(self):
        status = self.lab.json("status")
        self.assertEqual(status["builtin_doneness"], 1)
        self.assertEqual(status["doneness"], 1)
        self.assertEqual(status["nodes"], ["n1", "n2", "n3", "n4", "n5"])

    def test_a_file_put_on_one_node_is_fetched_on_another(self):
        source = self.lab.folder / "source"
        source.write_bytes(bytes(range(256)) * 12000)
        checksum = self.lab.json("put", source, "--node", "n2")["checksum"]
        self.assertRegex(checksum, r"^sha256:[0-9a-f]{64}$")
        for node in ("n5", "n2"):
            copy = self.lab.folder / f"copy-{node}"
            self.lab.ok("fetch", checksum, "--out", copy, "--node", node)
            self.assertEqual(copy.read_bytes(), source.read_bytes())

    def test_a_file_that_nobody_has_is_not_found(self):
        out = self.lab.folder / "nothing"
        done = self.lab.run("fetch", "sha256:" + "0" * 64, "--out", out)
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr)
        self.assertFalse(out.exists())

    def test_an_empty_file_is_a_file(self):
        source = self.lab.folder / "empty"
        source.write_bytes(b"")
        checksum = self.lab.json("put", source)["checksum"]
        self.lab.ok("fetch", checksum, "--out", self.lab.folder / "empty-copy", "--node", "n4")
        self.assertEqual((self.lab.folder / "empty-copy").read_bytes(), b"")


class LabelsTest(unittest.TestCase):
    def test_one_node_is_a_datacenter_and_comes_back_as_it_was(self):
        lab = Lab()
        self.addCleanup(lab.down)
        lab.ok("lab", "up", "--nodes", 1, *lab.flags, "--label", "n1:rack=7")
        first = lab.await_leader()
        self.assertEqual(first[0], "n1")
        key = (lab.state / "secondary.key").read_text()
        self.assertTrue(re.fullmatch(r"[0-9a-f]{64}\n", key))
        lab.ok("lab", "down")
        self.assertEqual(lab.processes(), [])
        status = lab.json("lab", "status")
        self.assertEqual([node["running"] for node in status["nodes"]], [False])

        lab.ok("lab", "up")
        self.assertEqual((lab.state / "secondary.key").read_text(), key)
        again = wait_for(lab.leader, 10, "a leader")
        self.assertGreater(again[1], first[1])  # epochs survive on disk


if __name__ == "__main__":
    unittest.main()
