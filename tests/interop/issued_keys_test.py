"""What keys that were issued for basic services do not open: speaking for nodes, registering, taking back a revocation, or a reeve that has just begun.

    issued_keys_test.py PROGRAMS TOOLS

Exit status 77, which CTest shows as skipped, where install-grpcurl.sh left no grpcurl.
"""

import base64
import json
import os
import pathlib
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
TOOLS = pathlib.Path(sys.argv.pop(2)).resolve()

from lab import Lab, take_down_after, wait_for  # noqa: E402


class IssuedKeysTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.up(3)
        cls.members = {member["node"]: member for member in cls.lab.json("members")}

    def net_id(self, api, node):
        return next(each["net_id"] for each in self.lab.json("services") if (each["api"], each["node"]) == (api, node))

    def issue(self, service, node, name=None):
        folder = self.lab.folder / (name or f"{service}-{node}")
        if folder.exists():
            return folder, None
        return folder, self.lab.json("keys", "issue", "--for", service, "--node", node, "--out", folder)["key"]

    def grpcurl(self, place, method, message, issued=None, pinned=None):
        """Its exit status and all that it says. `place` is a Unix socket, or with what was issued a netID."""
        command = [TOOLS / "grpcurl", "-max-time", "5", "-connect-timeout", "2", "-d", json.dumps(message)]
        if issued:
            command += ["-cacert", (pinned or issued) / "ca.pem", "-cert", issued / "cert.pem", "-key", issued / "key.pem", "-authority", "radix"]
        else:
            command += ["-plaintext", "-unix"]
        done = subprocess.run([*command, str(place), method], capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, done.stdout + done.stderr

    def refused(self, code, field, *call, **more):
        status, said = self.grpcurl(*call, **more)
        self.assertNotEqual(status, 0, said)
        self.assertIn(code, said)
        self.assertIn(field, said)

    def test_nobody_speaks_for_a_node_but_its_own_services(self):
        leader, epoch = self.lab.await_leader()
        victim = next(node for node in self.members if node != leader)
        hello = {"hello": {"epoch": str(epoch), "node": victim, "address": self.members[victim]["address"]}}
        for service, method, only in (
            ("steward", "radix.steward.v1.StewardService/Sync", "only the reeves"),
            ("proctor", "radix.proctor.v1.ProctorService/Follow", "only the deans"),
        ):
            folder, _ = self.issue(service, leader)
            before = (self.lab.state / leader / "log" / f"{service}.log").read_text()
            self.refused("PermissionDenied", only, self.net_id(f"{service}1", leader), method, hello, issued=folder)
            after = (self.lab.state / leader / "log" / f"{service}.log").read_text()
            self.assertNotIn(f"{victim} (", after[len(before) :], "the node's own stream was thrown out")

    def test_nobody_registers_from_elsewhere(self):
        folder, _ = self.issue("heartbeater", "n1")
        beat = {"net_id": f"{self.members['n1']['address']}:9", "issue_time": "2026-01-01T00:00:00Z", "valid_until_time": "2026-01-01T00:00:50Z",
                "status": "STATUS_SERVING", "api": "galumph2", "inst": "galumph2_9"}  # fmt: skip
        self.refused("PermissionDenied", "of its own node", self.net_id("heartbeater1", "n1"), "radix.heartbeater.v1.HeartbeaterService/Beat",
                     beat, issued=folder)  # fmt: skip
        self.assertEqual(self.lab.where("galumph2_9"), [])

    def test_a_revocation_is_not_taken_back(self):
        folder, key = self.issue("reeve", "n1", "revoked-for-good")
        self.lab.ok("keys", "revoke", key)
        for value in ("", base64.b64encode(b"\xff\xff").decode()):
            decision = {"decision": {"kind": "revoked", "key": f"key/{key}", "value": value}}
            self.refused("InvalidArgument", "decision.value", self.lab.state / "n2" / "dean.sock", "radix.proctor.v1.DeanService/Propose", decision)
        status, said = self.grpcurl(self.net_id("reeve1", "n1"), "radix.reeve.v1.ReeveService/GetState", {}, issued=folder)
        self.assertNotEqual(status, 0, said)

    def test_a_reeve_that_cannot_know_what_was_revoked_lets_no_operator_in(self):
        folder, key = self.issue("reeve", "n3", "revoked-before")
        good, _ = self.issue("reeve", "n3", "good")
        get_state = self.net_id("reeve1", "n3"), "radix.reeve.v1.ReeveService/GetState", {}
        self.assertEqual(self.grpcurl(*get_state, issued=good)[0], 0)
        self.lab.ok("keys", "revoke", key)
        # The supervisor replaces a dean that stands still. It is stopped first, so that this takes as long as the test likes.
        supervisor, dean, reeve = self.pid("n3"), self.pid("n3", "dean"), self.pid("n3", "reeve")
        os.kill(reeve, signal.SIGKILL)
        os.kill(dean, signal.SIGSTOP)
        wait_for(lambda: self.pid("n3", "reeve") not in (None, reeve), 30, "another reeve")
        os.kill(supervisor, signal.SIGSTOP)
        try:
            log = self.lab.state / "n3" / "log" / "reeve.log"
            wait_for(lambda: self.grpcurl(*get_state, issued=good)[0] != 0 and "cannot know what was revoked" in log.read_text(), 30, log.read_text)
            self.assertNotEqual(self.grpcurl(*get_state, issued=folder)[0], 0)
        finally:
            os.kill(dean, signal.SIGCONT)
            os.kill(supervisor, signal.SIGCONT)
        wait_for(lambda: self.grpcurl(*get_state, issued=good)[0] == 0, 30, self.lab.logs)
        self.assertNotEqual(self.grpcurl(*get_state, issued=folder)[0], 0)

    def pid(self, node, service=None):
        """Of a service of that node, or of its supervisor; None while there is none."""
        for pid in self.lab.processes():
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            of_node = str(self.lab.state / node).encode() in words
            is_service = len(words) > 1 and words[1] == (service or "").encode()
            if of_node and (is_service if service else words[1].startswith(b"--")):
                return pid
        return None


if __name__ == "__main__":
    if not (TOOLS / "grpcurl").exists():
        print(f"skipped: there is no {TOOLS / 'grpcurl'}; install-grpcurl.sh could not install it")
        sys.exit(77)
    unittest.main()
