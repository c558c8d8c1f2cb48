"""Python's grpcio, Debian's, calls an application: it has a key of its own let in by its node's reeve, and pins the server's certificate.

    python_application_test.py PROGRAMS GENERATED

Exit status 77, which CTest shows as skipped, without grpcio or openssl.
"""

import hashlib
import pathlib
import queue
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
GENERATED = sys.argv.pop(2)

from lab import Lab, galumph_manifest, take_down_after, wait_for  # noqa: E402

try:
    import grpc
except ImportError as missing:
    print(f"skipped: {missing}; the package is python3-grpcio")
    sys.exit(77)
if not shutil.which("openssl"):
    print("skipped: there is no openssl")
    sys.exit(77)

sys.path.insert(0, GENERATED)
from galumph.v2 import galumph_pb2  # noqa: E402
from radix.trust.v1 import pairing_pb2  # noqa: E402


def made_key(folder, name):
    """(private key, certificate, what the key is known by): P-256, self-signed."""
    key, cert = folder / f"{name}.key", folder / f"{name}.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=radix",
         "-days", "1", "-keyout", key, "-out", cert], capture_output=True, check=True)  # fmt: skip
    public = subprocess.run(["openssl", "x509", "-in", cert, "-noout", "-pubkey"], capture_output=True, check=True).stdout
    spki = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=public, capture_output=True, check=True).stdout
    return key.read_bytes(), cert.read_bytes(), hashlib.sha256(spki).hexdigest()


class Introductions:
    """A stream to a node's reeve; as long as it is open, the keys that were asked for are let in."""

    def __init__(self, state):
        self.channel = grpc.insecure_channel(f"unix:{state}/reeve.sock")
        self.requests = queue.Queue()
        introduce = self.channel.stream_stream(
            "/radix.trust.v1.PairingService/Introduce",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=pairing_pb2.IntroduceResponse.FromString,
        )
        self.responses = introduce(iter(self.requests.get, None))

    def ask(self, key, net_id, service="script", api="galumph2"):
        pair = pairing_pb2.Pair(
            key=key, horde="default", service=service, net_id=net_id, meant_horde="default", meant_api=api
        )
        self.requests.put(pairing_pb2.IntroduceRequest(pairs=[pair]))
        (admission,) = next(self.responses).admissions
        return admission

    def close(self):
        self.requests.put(None)
        self.responses.cancel()
        self.channel.close()


class PythonApplicationTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.up(3)
        path = cls.lab.folder / "galumph.yaml"
        path.write_text(galumph_manifest(3))
        cls.lab.ok("apply", path)
        wait_for(lambda: len(cls.lab.where("galumph2_3")) == 3, 60, "galumph on every node")
        cls.net_ids = {i["node"]: i["net_id"] for i in cls.lab.json("services") if i["inst"] == "galumph2_3"}

    def setUp(self):
        self.introductions = Introductions(self.lab.state / "n1")
        self.addCleanup(self.introductions.close)
        self.key, self.cert, self.key_id = made_key(self.lab.folder, self.id())

    def register(self, net_id, certificate):
        credentials = grpc.ssl_channel_credentials(certificate, self.key, self.cert)
        with grpc.secure_channel(net_id, credentials, [("grpc.ssl_target_name_override", "radix")]) as channel:
            register = channel.unary_unary(
                "/galumph.v2.Galumph/Register",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=galumph_pb2.RegisterResponse.FromString,
            )
            return register(galumph_pb2.RegisterRequest(beast="snark"), timeout=10)

    def test_with_an_introduced_key_it_calls_on_its_own_and_on_other_nodes(self):
        for node in "n1", "n2":
            began = time.monotonic()
            admission = self.introductions.ask(self.key_id, self.net_ids[node])
            print(f"introduced to {node} in {1000 * (time.monotonic() - began):.1f} ms")
            self.assertEqual(admission.code, 0, admission.message)
            reply = self.register(self.net_ids[node], admission.endpoint_certificates[0].encode())
            self.assertEqual(reply.node, node)
            self.key, self.cert, self.key_id = made_key(self.lab.folder, self.id() + node)

    def test_a_key_that_is_withdrawn_is_refused(self):
        admission = self.introductions.ask(self.key_id, self.net_ids["n2"])
        certificate = admission.endpoint_certificates[0].encode()
        self.register(self.net_ids["n2"], certificate)
        self.introductions.requests.put(pairing_pb2.IntroduceRequest(gone=[self.key_id]))

        def refused():
            try:
                self.register(self.net_ids["n2"], certificate)
            except grpc.RpcError as error:
                return error.code() == grpc.StatusCode.UNAVAILABLE
            return False

        wait_for(refused, 10, "the refusal of a key that was withdrawn")

    def test_a_key_that_is_revoked_is_refused_and_both_sides_say_so(self):
        admission = self.introductions.ask(self.key_id, self.net_ids["n2"])
        certificate = admission.endpoint_certificates[0].encode()
        self.register(self.net_ids["n2"], certificate)
        said = self.lab.ok("keys", "revoke", self.key_id, "--node", "n1")
        self.assertIn("default/script calls default/galumph2", said)
        self.assertIn("makes itself another key", said)
        log = self.lab.state / "n2" / "log" / "reeve.log"
        line = f"key {self.key_id[:16]} of a process of node "
        wait_for(lambda: any(line in each and each.endswith("the key was revoked") for each in log.read_text().splitlines()), 10, log.read_text)
        with self.assertRaises(grpc.RpcError):
            self.register(self.net_ids["n2"], certificate)

    def test_a_caller_that_the_rules_forbid_is_named_with_its_rule(self):
        admission = self.introductions.ask(self.key_id, self.net_ids["n2"], service="stranger")
        self.assertEqual(admission.code, 0, "the lab's rules let everybody call in the default horde")
        rules = self.lab.folder / "deny.rules"
        rules.write_text("deny call default/stranger default/*\ncall default/* default/*\nserve default/* default/*\n")
        self.lab.ok("rules", "apply", rules, "--allow-unknown")
        log = self.lab.state / "n2" / "log" / "reeve.log"
        wait_for(lambda: any(self.key_id[:16] in each and "deny call default/stranger default/*" in each for each in log.read_text().splitlines()),
                 10, log.read_text)  # fmt: skip

    def test_a_key_that_nobody_was_told_of_is_refused(self):
        other = made_key(self.lab.folder, self.id() + "other")
        admission = self.introductions.ask(other[2], self.net_ids["n2"])
        with self.assertRaises(grpc.RpcError) as caught:
            self.register(self.net_ids["n2"], admission.endpoint_certificates[0].encode())
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)

    def test_what_cannot_be_is_said(self):
        admission = self.introductions.ask(self.key_id, self.net_ids["n2"], api="cart2")
        self.assertEqual(admission.code, grpc.StatusCode.NOT_FOUND.value[0], admission.message)
        self.assertIn("galumph2_3", admission.message)


if __name__ == "__main__":
    unittest.main()
