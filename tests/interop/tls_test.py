"""openssl s_client and, where it is there, grpcurl on the TCP ports of real nodes: who is let in, who is not, and what the log says of it.

    tls_test.py PROGRAMS TOOLS
"""

import json
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
TOOLS = pathlib.Path(sys.argv.pop(2)).resolve()

from lab import Lab, take_down_after, wait_for  # noqa: E402

OPENSSL = shutil.which("openssl")


class TlsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.up(3)
        cls.issued = cls.lab.folder / "issued"
        done = cls.lab.run("keys", "issue", "--for", "reeve", "--out", cls.issued)
        assert done.returncode == 0, done.stderr
        cls.reeves = {i["node"]: i["net_id"] for i in cls.lab.json("services") if i["api"] == "reeve1"}

    def log(self, node="n1", service="reeve"):
        return (self.lab.state / node / "log" / f"{service}.log").read_text()

    def s_client(self, net_id, *arguments):
        """What openssl says of a connection that then only waits for the server's word; it ends with it, or after a second."""
        command = [OPENSSL, "s_client", "-connect", net_id, "-alpn", "h2", "-quiet", "-ign_eof", *map(str, arguments)]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=1.5, check=False)
        except subprocess.TimeoutExpired as still_open:
            return still_open.stdout or b"", True
        return done.stdout, False

    def assert_refused(self, reason, *arguments):
        before = self.log().count(reason)
        said, open_still = self.s_client(self.reeves["n1"], *arguments)
        self.assertFalse(open_still, "the connection stays open")
        self.assertEqual(said, b"", "an unknown peer must not reach HTTP/2")
        wait_for(lambda: self.log().count(reason) > before, 5, f"nothing in the log about '{reason}'")

    def make_certificate(self, name, *key):
        files = self.lab.folder / f"{name}.key", self.lab.folder / f"{name}.pem"
        command = [OPENSSL, "req", "-x509", "-newkey", *key, "-nodes", "-subj", "/CN=radix", "-days", "1",
                   "-addext", "subjectAltName=DNS:radix", "-keyout", files[0], "-out", files[1]]  # fmt: skip
        subprocess.run(command, capture_output=True, check=True)
        return ["-key", files[0], "-cert", files[1]]

    def test_who_shows_an_issued_certificate_is_let_in(self):
        said, open_still = self.s_client(self.reeves["n1"], "-key", self.issued / "key.pem", "-cert", self.issued / "cert.pem",
                                         "-CAfile", self.issued / "ca.pem", "-verify_return_error", "-tls1_3")  # fmt: skip
        self.assertTrue(open_still, "the server closed it")
        self.assertEqual(said[3:4], b"\x04", f"no HTTP/2 SETTINGS frame: {said!r}")

    def test_tls_1_2_is_refused(self):
        _, open_still = self.s_client(self.reeves["n1"], "-key", self.issued / "key.pem", "-cert", self.issued / "cert.pem", "-tls1_2")
        self.assertFalse(open_still)

    def test_without_a_certificate_nobody_is_let_in(self):
        self.assert_refused("peer did not return a certificate")

    def test_a_certificate_for_which_no_node_vouches_is_refused(self):
        self.assert_refused("no node vouches for it", *self.make_certificate("own", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"))

    def test_a_wrong_curve_is_refused(self):
        self.assert_refused("is not ECDSA P-256", *self.make_certificate("curve", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"))

    def test_an_rsa_key_is_refused(self):
        self.assert_refused("is not ECDSA P-256", *self.make_certificate("rsa", "rsa:2048"))

    # The subject and what vouches for it are copied from the issued certificate; the key is another.
    def test_the_right_name_with_the_wrong_key_is_refused(self):
        text = subprocess.run([OPENSSL, "x509", "-in", self.issued / "cert.pem", "-noout", "-ext", "subjectAltName"],
                              capture_output=True, text=True, check=True).stdout  # fmt: skip
        uri = text[text.index("URI:") :].split()[0]
        files = self.lab.folder / "forged.key", self.lab.folder / "forged.pem"
        command = [OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=radix",
                   "-addext", f"subjectAltName=DNS:radix,{uri}", "-keyout", files[0], "-out", files[1]]  # fmt: skip
        subprocess.run(command, capture_output=True, check=True)
        self.assert_refused("what vouches for it is forged", "-key", files[0], "-cert", files[1])

    def test_an_issued_key_opens_nothing_but_what_it_is_for(self):
        heartbeater = next(i["net_id"] for i in self.lab.json("services") if i["api"] == "heartbeater1" and i["node"] == "n1")
        _, open_still = self.s_client(heartbeater, "-key", self.issued / "key.pem", "-cert", self.issued / "cert.pem")
        self.assertFalse(open_still)
        wait_for(lambda: "may not call radix/heartbeater1: built in: deny call */* radix/*" in self.log(service="heartbeater"), 5, "no word of it")

    def test_a_node_is_pinned_by_its_own_certificate_only(self):
        _, open_still = self.s_client(self.reeves["n2"], "-key", self.issued / "key.pem", "-cert", self.issued / "cert.pem",
                                      "-CAfile", self.issued / "ca.pem", "-verify_return_error")  # fmt: skip
        self.assertFalse(open_still, "another node passed for n1")

    # Known to every node before it is answered, on disk, and so still there after a restart.
    def test_a_revoked_key_is_thrown_out_at_every_node_for_good(self):
        folder = self.lab.folder / "to-revoke"
        key = json.loads(self.lab.ok("keys", "issue", "--for", "reeve", "--out", folder, "-o", "json"))["key"]
        shows = ["-key", str(folder / "key.pem"), "-cert", str(folder / "cert.pem")]
        inside = {
            node: subprocess.Popen([OPENSSL, "s_client", "-connect", net_id, "-alpn", "h2", "-quiet", "-ign_eof", *shows],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # fmt: skip
            for node, net_id in self.reeves.items()
        }
        for node, process in inside.items():
            self.assertEqual(process.stdout.read(4)[3:], b"\x04", f"{node} does not let it in")  # HTTP/2 SETTINGS
        done = self.lab.run("keys", "revoke", key, "--node", "n2")
        self.assertEqual(done.returncode, 0, done.stderr)
        for node, process in inside.items():
            with process:
                process.stdout.read()  # ends with the connection
            self.assertFalse(self.s_client(self.reeves[node], *shows)[1], f"{node} lets it in again")
            self.assertIn("it was revoked", self.log(node))
        self.lab.ok("lab", "kill", "n3")
        self.lab.ok("lab", "start", "n3")
        self.assertFalse(self.s_client(self.reeves["n3"], *shows)[1], "forgotten by a restart")
        _, open_still = self.s_client(self.reeves["n3"], "-key", self.issued / "key.pem", "-cert", self.issued / "cert.pem")
        self.assertTrue(open_still, "the other key is as good as before")
        wrong = self.lab.run("keys", "revoke", "n9")
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("64 hex digits", wrong.stderr)

    def test_everybody_can_look_up_whose_an_issued_key_is(self):
        key = json.loads(self.lab.ok("keys", "issue", "--for", "steward", "--out", self.lab.folder / "looked-up", "-o", "json"))["key"]
        said = wait_for(lambda: self.lab.run("keys", "explain", key[:12], "--node", "n3").stdout, 10, "n3 knows")
        self.assertRegex(said, f"key {key} was issued to call radix/steward of every node, by n1 on 2[0-9]{{3}}-")
        self.assertIn(key, [each["key"] for each in self.lab.json("keys", "ls", "--node", "n2")])
        self.assertIn("was issued", self.lab.ok("keys", "revoke", key))
        wait_for(lambda: "; revoked on 2" in self.lab.run("keys", "explain", key, "--node", "n3").stdout, 10, "n3 knows of it")
        self.assertIn("Nobody whom n1 knows has it", self.lab.ok("keys", "revoke", "ab" * 32))
        self.assertIn("was revoked on 2", self.lab.ok("keys", "explain", "ab" * 32))

    def test_one_file_pins_several_nodes(self):
        self.lab.ok("keys", "issue", "--for", "reeve", "--out", self.lab.folder / "second", "--node", "n2")
        bundle = self.lab.folder / "bundle.pem"
        bundle.write_bytes(b"".join((folder / "ca.pem").read_bytes() for folder in (self.issued, self.lab.folder / "second")))
        shows = "-key", self.issued / "key.pem", "-cert", self.issued / "cert.pem", "-CAfile", bundle, "-verify_return_error"
        for node, pinned in (("n1", True), ("n2", True), ("n3", False)):
            self.assertEqual(self.s_client(self.reeves[node], *shows)[1], pinned, node)

    def test_nothing_is_overwritten_and_nothing_open_to_others(self):
        again = self.lab.run("keys", "issue", "--for", "reeve", "--out", self.issued)
        self.assertEqual(again.returncode, 1)
        self.assertIn("is there already", again.stderr)
        for file in self.issued.iterdir():
            self.assertEqual(file.stat().st_mode & 0o777, 0o600, file)
        unknown = self.lab.run("keys", "issue", "--for", "jabberwock", "--out", self.lab.folder / "x")
        self.assertEqual(unknown.returncode, 2)
        self.assertIn("--for", unknown.stderr)

    def grpcurl(self, method, *shows, node="n1", limit=10):
        """grpcurl's exit status, and all that it prints. It goes on connecting for as long as it may."""
        if not (TOOLS / "grpcurl").exists():
            self.skipTest("there is no grpcurl")
        command = [TOOLS / "grpcurl", "-cacert", self.issued / "ca.pem", *shows, "-authority", "radix", "-connect-timeout", str(limit),
                   "-max-time", "10", self.reeves[node], method]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_grpcurl_calls_with_it(self):
        shows = "-cert", self.issued / "cert.pem", "-key", self.issued / "key.pem"
        code, said = self.grpcurl("radix.reeve.v1.ReeveService/GetState", *shows)
        self.assertEqual(code, 0, said)
        self.assertIn("digest", json.loads(said))
        code, said = self.grpcurl("radix.trust.v1.TrustService/WatchPeers", *shows)
        self.assertNotEqual(code, 0)
        self.assertIn("PermissionDenied", said)

    def test_grpcurl_with_anything_else_is_refused_in_the_handshake(self):
        own = self.make_certificate("grpcurl-own", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        curve = self.make_certificate("grpcurl-curve", "ec", "-pkeyopt", "ec_paramgen_curve:P-384")
        revoked = self.lab.folder / "grpcurl-revoked"
        key = json.loads(self.lab.ok("keys", "issue", "--for", "reeve", "--out", revoked, "-o", "json"))["key"]
        self.lab.ok("keys", "revoke", key)
        for shows, reason in (
            ([], "peer did not return a certificate"),
            (own, "no node vouches for it"),
            (curve, "is not ECDSA P-256"),
            (["-key", revoked / "key.pem", "-cert", revoked / "cert.pem"], "it was revoked"),
        ):
            before = self.log().count(reason)
            code, said = self.grpcurl("radix.reeve.v1.ReeveService/GetState", *shows, limit=2)
            self.assertNotEqual(code, 0, reason)
            self.assertNotIn("digest", said)
            wait_for(lambda reason=reason, before=before: self.log().count(reason) > before, 5, f"nothing in the log about '{reason}'")
        # The right key, but of another node than the one that is pinned.
        shows = "-cert", self.issued / "cert.pem", "-key", self.issued / "key.pem"
        code, said = self.grpcurl("radix.reeve.v1.ReeveService/GetState", *shows, node="n2", limit=2)
        self.assertNotEqual(code, 0)
        self.assertIn("certificate", said)


if __name__ == "__main__":
    if OPENSSL is None:
        print("skipped: there is no openssl; the package is openssl")
        sys.exit(77)
    unittest.main()
