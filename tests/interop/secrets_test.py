"""No private key is anywhere but in its own file: not in a log, a state folder, or anything that a service answers.

    secrets_test.py PROGRAMS TOOLS

What services answer is asked through grpcurl; where there is none, that part is skipped. Keys that are made where they are used
cannot be known to a test: of these it looks for the forms in which private keys are written.
"""

import base64
import json
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
TOOLS = pathlib.Path(sys.argv.pop(2)).resolve()

from lab import Lab, galumph_manifest, take_down_after, wait_for  # noqa: E402

OPENSSL = shutil.which("openssl")
NODES = ("n1", "n2", "n3")
OWN_FILES = {"node.key", "secondary.key"}
STREAM_S = 1  # what a stream says at once is what it knows

# How private keys begin in DER: PKCS#8 of P-256 and of Ed25519, SEC 1 of P-256, each up to the key's own bytes.
FORMS = {
    "PEM": b"PRIVATE KEY-----",
    "PKCS#8, P-256": bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420"),
    "PKCS#8, Ed25519": bytes.fromhex("302e020100300506032b657004220420"),
    "SEC 1, P-256": bytes.fromhex("30770201010420"),
}


def as_base64(data):
    """What of `data` looks the same in Base64, however many bytes are before it."""
    for skipped in range(3):
        whole = data[skipped : skipped + (len(data) - skipped) // 3 * 3]
        yield base64.b64encode(whole)
        yield base64.urlsafe_b64encode(whole)


def writings(secret):
    """All that `secret` is looked for as."""
    return {secret, secret.hex().encode(), secret.hex().upper().encode(), *as_base64(secret)}


def found_in(content, secrets):
    """The names of the secrets that `content` has."""
    return sorted({name for name, secret in secrets.items() for each in writings(secret) if each in content})


class SecretsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.up(len(NODES))
        manifest = cls.lab.folder / "galumph.yaml"
        manifest.write_text(galumph_manifest(2))
        cls.lab.ok("apply", manifest)
        wait_for(lambda: len(cls.lab.where("galumph2_3")) == 2, 30, "two of galumph2_3")
        cls.issued = cls.lab.folder / "issued"
        cls.lab.ok("keys", "issue", "--for", "reeve", "--out", cls.issued)
        cls.lab.ok("keys", "roll")
        cls.secrets = {f"the key of {node}": bytes.fromhex(cls.text_of(node, "node.key")) for node in NODES}
        for number, line in enumerate((cls.lab.state / "secondary.key").read_text().split()):
            cls.secrets[f"key {number} of the group"] = bytes.fromhex(line)
        cls.secrets["an issued key"] = cls.scalar_of(cls.issued / "key.pem")
        cls.secrets |= FORMS

    @classmethod
    def text_of(cls, node, name):
        return (cls.lab.state / node / name).read_text().strip()

    @classmethod
    def scalar_of(cls, file):
        text = subprocess.run([OPENSSL, "ec", "-in", file, "-noout", "-text"], capture_output=True, text=True, check=True).stdout
        return bytes.fromhex(re.sub(r"[\s:]", "", re.search(r"priv:\s*([0-9a-f:\s]+)pub:", text)[1]))[-32:]

    def test_the_search_finds_what_is_there(self):
        der = subprocess.run([OPENSSL, "pkcs8", "-topk8", "-nocrypt", "-outform", "DER", "-in", self.issued / "key.pem"],
                             capture_output=True, check=True).stdout  # fmt: skip
        self.assertEqual(found_in(der, self.secrets), ["PKCS#8, P-256", "an issued key"])
        self.assertIn("PEM", found_in((self.issued / "key.pem").read_bytes(), self.secrets))
        for node in NODES:
            name = f"the key of {node}"
            self.assertEqual(found_in((self.lab.state / node / "node.key").read_bytes(), self.secrets), [name])
            for before in range(3):
                text = base64.b64encode(bytes(before) + self.secrets[name] + b"behind")
                self.assertEqual(found_in(b"..." + text + b"...", self.secrets), [name], before)
        self.assertEqual(found_in((self.issued / "cert.pem").read_bytes(), self.secrets), [])

    def test_no_log_and_no_state_has_one(self):
        looked_at = set()
        for file in self.lab.state.rglob("*"):
            if not file.is_file() or file.name in OWN_FILES:
                continue
            looked_at.add(file.name)
            self.assertEqual(found_in(file.read_bytes(), self.secrets), [], file)
        self.assertLessEqual({"flock.log", "reeve.log", "steward.log", "proctor.log"}, looked_at)

    def grpcurl(self, socket, *arguments, limit=10):
        """What it prints; streams go on until the limit, which is no failure here."""
        before, after = arguments[:-1], arguments[-1:]
        command = [TOOLS / "grpcurl", "-plaintext", "-unix", "-max-time", str(limit), *before, socket, *after[0].split()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        return done.stdout + done.stderr

    def methods_of(self, socket):
        """(full name, whether it streams) of each method, which grpcurl describes as `rpc Name ( .Q ) returns ( stream .A );`."""
        for service in self.grpcurl(socket, "list").split():
            if service.startswith("grpc.reflection"):
                continue
            for name, asked, told in re.findall(r"rpc (\w+) \(([^)]*)\) returns \(([^)]*)\)", self.grpcurl(socket, f"describe {service}")):
                yield f"{service}/{name}", "stream" in asked + told

    def test_no_service_answers_with_one(self):
        if not (TOOLS / "grpcurl").exists():
            self.skipTest("there is no grpcurl")
        selector = {"selector": {"horde": "radix", "api": "reeve1"}}
        answered, asked = set(), set()
        for socket in sorted(self.lab.state.glob("n1/*.sock")) + [self.lab.state / self.lab.leader()[0] / "steward.sock"]:
            for method, streams in self.methods_of(socket):
                for question in ({}, selector):
                    answer = self.grpcurl(socket, "-d", json.dumps(question), method, limit=STREAM_S if streams else 10)
                    asked.add(method)
                    if "{" in answer:
                        answered.add(method.split("/")[1])
                    self.assertEqual(found_in(answer.encode(), self.secrets), [], f"{socket.name} {method}")
        self.assertGreater(len(asked), 30, asked)
        self.assertLessEqual({"GetState", "Lookup", "GetKeys", "ListMembers", "ListKeys", "WatchPeers", "WatchPlugins"}, answered)


if __name__ == "__main__":
    if OPENSSL is None:
        print("skipped: there is no openssl; the package is openssl")
        sys.exit(77)
    unittest.main()
