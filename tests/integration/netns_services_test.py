"""Whole nodes with a network each: nothing is on loopback, so all that leaves a node has to be let in by a key."""

import json
import subprocess
import unittest

from lab import PROGRAMS, galumph_manifest, take_down_after, wait_for
from namespaces import NetnsLab, inside, why_not

NODES = 3
# Connects as anybody in the network could, and says how far it came.
STRANGER = """
import socket, ssl, sys
host, port = sys.argv[1].rsplit(":", 1)
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
context.set_alpn_protocols(["h2"])
with socket.create_connection((host, int(port)), 5) as plain:
    plain.settimeout(5)
    try:
        with context.wrap_socket(plain) as tls:
            tls.sendall(b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n")
            print("answered" if tls.recv(1) else "refused")
    except TimeoutError:
        print("kept waiting")
    except OSError:
        print("refused")
"""


@unittest.skipIf(why_not(), why_not())
class NetnsServicesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = NetnsLab(NODES, services="all")
        take_down_after(cls, cls.lab)
        # Not on n1, where the client is: an instance of its own node would come first.
        cls.lab.flags += ["--label", "n2:away", "--label", "n3:away"]
        cls.lab.up(NODES)
        path = cls.lab.folder / "galumph.yaml"
        path.write_text(galumph_manifest(2, nodes="LABEL(away)"))
        cls.lab.ok("apply", path)
        wait_for(lambda: cls.lab.where("galumph2_3") == ["n2", "n3"], 60, "galumph on the others")

    def net_ids(self, api):
        return {each["node"]: each["net_id"] for each in self.lab.json("services") if each["api"] == api}

    def test_a_client_calls_across_nodes(self):
        command = [PROGRAMS / "galumph_client", "--state", self.lab.state / "n1", "--seconds", "2"]
        with inside(self.lab.space("n1")):
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        counts = json.loads(done.stdout)
        self.assertEqual((counts["failed"], done.returncode), (0, 0), counts)
        self.assertGreater(counts["calls"], 100)

    def test_whoever_else_is_in_the_network_reaches_nobody(self):
        for api in "galumph2", "reeve1", "steward1", "pastiche1":
            for node, net_id in self.net_ids(api).items():
                said = self.lab.enter("n3" if node == "n1" else "n1", "/usr/bin/python3", "-c", STRANGER, net_id)
                self.assertEqual(said, "refused\n", f"{api} of {node}")


if __name__ == "__main__":
    unittest.main()
