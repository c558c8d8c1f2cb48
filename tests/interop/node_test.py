"""Node's gRPC, npm's @grpc/grpc-js, on the TCP ports of real nodes with the files of `radix keys issue`: who is let in, and what the others are told.

    node_test.py PROGRAMS

Exit status 77, which CTest shows as skipped, without what `make deps` installs where there is node and npm.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ROOT / "build" / "tools" / "node"
NODE = shutil.which("node")

sys.path.insert(0, str(ROOT / "tests" / "integration"))

from lab import Lab, take_down_after, wait_for  # noqa: E402

REEVES = {"selector": {"horde": "radix", "api": "reeve1"}}
# A call's own deadline is 20 s, in node_client.js; what is refused is refused long before.
KILL_AFTER = 60
REFUSED_WITHIN = 10


class NodeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.up(3)
        _, cls.issued = cls.issue("issued")
        _, cls.of_n2 = cls.issue("of-n2", "--node", "n2")
        cls.reeves = {i["node"]: i["net_id"] for i in cls.lab.json("services") if i["api"] == "reeve1"}

    @classmethod
    def issue(cls, name, *arguments):
        folder = cls.lab.folder / name
        return cls.lab.json("keys", "issue", "--for", "reeve", "--out", folder, *arguments)["key"], folder

    def shows(self, folder, pinned=None):
        """The files for a caller with the key in `folder`: by default it pins who issued that."""
        return (pinned or folder) / "ca.pem", folder / "key.pem", folder / "cert.pem"

    def command(self, method, request, files, node):
        return [NODE, ROOT / "tests" / "interop" / "node_client.js", ROOT / "protos", self.reeves[node], method, json.dumps(request), *files]

    def start(self, *call):
        environment = dict(os.environ, NODE_PATH=str(PACKAGES / "node_modules"))
        process = subprocess.Popen(self.command(*call), env=environment, stdout=subprocess.PIPE, text=True)
        limit = threading.Timer(KILL_AFTER, process.kill)
        limit.start()
        self.addCleanup(limit.cancel)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def next_line(self, process):
        line = process.stdout.readline()
        self.assertTrue(line, "node ended, or was ended, without a status")
        return json.loads(line)

    def call(self, method, request, files, node="n1"):
        """(the response or None, the status and its details)."""
        process = self.start(method, request, files, node)
        response, line = None, self.next_line(process)
        if "status" not in line:
            response, line = line, self.next_line(process)
        self.assertEqual(process.wait(KILL_AFTER), 0, "a closed channel must let node end")
        return response, line

    def assert_refused(self, files, node="n1"):
        """UNAVAILABLE is what a caller may try again, elsewhere or with another key. Returns the details."""
        began = time.monotonic()
        response, end = self.call("ListInstances", {}, files, node)
        self.assertEqual(end["status"], "UNAVAILABLE", end)
        self.assertIsNone(response)
        self.assertLess(time.monotonic() - began, REFUSED_WITHIN, "only the deadline ended it")
        return end["details"]

    def refusals(self, reason, node="n1"):
        return (self.lab.state / node / "log" / "reeve.log").read_text().count(reason)

    def test_with_issued_files_it_calls(self):
        response, end = self.call("ListInstances", {}, self.shows(self.issued))
        self.assertEqual(end["status"], "OK", end)
        self.assertEqual({i["node"] for i in response["instances"] if i["api"] == "reeve1"}, {"n1", "n2", "n3"})
        response, end = self.call("Lookup", REEVES, self.shows(self.of_n2), "n2")
        self.assertEqual(end["status"], "OK", end)
        self.assertEqual(response["instances"][0]["node"], "n2")  # its own node first

    def test_a_key_is_good_at_every_node_that_is_pinned(self):
        response, end = self.call("Lookup", REEVES, self.shows(self.issued, pinned=self.of_n2), "n2")
        self.assertEqual(end["status"], "OK", end)
        self.assertEqual(response["instances"][0]["node"], "n2")

    def test_a_service_s_own_errors_arrive(self):
        response, end = self.call("Lookup", {"selector": {"horde": "radix", "api": "none9"}}, self.shows(self.issued))
        self.assertIsNone(response)
        self.assertEqual(end["status"], "NOT_FOUND")
        self.assertIn("none9", end["details"])

    def test_a_node_that_is_not_the_pinned_one_is_not_called(self):
        for pinned, node in (self.of_n2, "n1"), (self.issued, "n2"):
            details = self.assert_refused(self.shows(self.issued, pinned=pinned), node)
            self.assertRegex(details, "unable to verify|unable to get|self.signed")  # as Node has it; not the name

    def test_without_a_certificate_it_is_refused(self):
        reason = "peer did not return a certificate"
        before = self.refusals(reason)
        self.assert_refused([self.issued / "ca.pem"])
        wait_for(lambda: self.refusals(reason) > before, 5, f"nothing in the log about '{reason}'")

    def test_a_stream_ends_when_its_key_is_revoked_and_the_key_is_refused_from_then_on(self):
        key, folder = self.issue("to-revoke")
        streams = {
            node: self.start("Watch", REEVES, self.shows(folder, pinned=pinned), node)
            for node, pinned in (("n1", self.issued), ("n2", self.of_n2))
        }
        for node, stream in streams.items():
            first = self.next_line(stream)
            self.assertIn("delta", first, node)
            self.assertTrue(first["delta"]["snapshot"], node)
            self.assertEqual({change["instance"]["node"] for change in first["delta"]["changes"]}, {"n1", "n2", "n3"})
        began = time.monotonic()
        self.lab.ok("keys", "revoke", key, "--node", "n2")
        for node, stream in streams.items():
            end = self.next_line(stream)
            while "delta" in end:  # what changed until then
                end = self.next_line(stream)
            print(f"{node}: {end} {1000 * (time.monotonic() - began):.0f} ms after 'keys revoke' began")
            self.assertEqual(end["status"], "UNAVAILABLE", end)
            self.assertLess(time.monotonic() - began, REFUSED_WITHIN, "only the deadline ended it")
        for node, pinned in (("n1", self.issued), ("n2", self.of_n2)):
            before = self.refusals("it was revoked", node)
            self.assert_refused(self.shows(folder, pinned=pinned), node)
            wait_for(lambda: self.refusals("it was revoked", node) > before, 5, f"{node} does not say why")
        _, end = self.call("ListInstances", {}, self.shows(self.issued))
        self.assertEqual(end["status"], "OK", "the other key is as good as before")


if __name__ == "__main__":
    if NODE is None or not (PACKAGES / "installed").exists():
        print("skipped: there is no node, or not its packages; 'make deps' says why it could not install them")
        sys.exit(77)
    unittest.main()
