"""Real grpcurl against a node's reeve, over its Unix socket.

    grpcurl_test.py PROGRAMS TOOLS

Exit status 77, which CTest shows as skipped, where install-grpcurl.sh left no grpcurl.
"""

import json
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
TOOLS = pathlib.Path(sys.argv.pop(2)).resolve()

from lab import Lab, take_down_after  # noqa: E402


class GrpcurlTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.up(3)
        cls.state = pathlib.Path(cls.lab.json("lab", "status")["state"])

    def grpcurl(self, *arguments, node="n1", service="reeve"):
        before, after = arguments[:-1], arguments[-1:]
        socket = self.state / node / f"{service}.sock"
        command = [TOOLS / "grpcurl", "-plaintext", "-unix", *before, str(socket), *after[0].split()]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    def test_list_names_the_services(self):
        done = self.grpcurl("list")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertLessEqual(
            {"radix.reeve.v1.ReeveService", "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"},
            set(done.stdout.split()),
        )

    def test_every_service_lists_itself_and_is_healthy(self):
        leader = self.lab.leader()[0]
        nodes = {service: "n1" for service in ("flock", "heartbeater", "reeve", "picket", "dean", "pastiche")}
        nodes |= {"steward": leader, "proctor": leader}
        nodes["healthminder"] = next(node for node, api in self.lab.serving(key="api") if api == "healthminder1")
        for service, node in nodes.items():
            done = self.grpcurl("list", node=node, service=service)
            self.assertEqual(done.returncode, 0, f"{service}: {done.stderr}")
            self.assertIn("radix.", done.stdout)
            names = ["", *(name for name in done.stdout.split() if name.startswith("radix."))]
            for name in names:
                question = json.dumps({"service": name})
                health = self.grpcurl("-d", question, "grpc.health.v1.Health/Check", node=node, service=service)
                self.assertEqual(health.returncode, 0, f"{service} {name}: {health.stderr}")
                self.assertEqual(json.loads(health.stdout), {"status": "SERVING"}, f"{service} {name}")

    def test_lookup_through_reflection(self):
        question = json.dumps({"selector": {"horde": "radix", "api": "reeve1"}})
        done = self.grpcurl("-d", question, "radix.reeve.v1.ReeveService/Lookup", node="n2")
        self.assertEqual(done.returncode, 0, done.stderr)
        instances = json.loads(done.stdout)["instances"]
        self.assertEqual({instance["node"] for instance in instances}, {"n1", "n2", "n3"})
        self.assertEqual(instances[0]["node"], "n2")  # its own node first

    def test_errors_have_their_codes(self):
        for question, code in (
            ({"selector": {"horde": "radix", "api": "none9"}}, "NotFound"),
            ({"selector": {"api": "a", "inst": "b"}}, "InvalidArgument"),
            ({}, "InvalidArgument"),
        ):
            done = self.grpcurl("-d", json.dumps(question), "radix.reeve.v1.ReeveService/Lookup")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(code, done.stderr)


if __name__ == "__main__":
    if not (TOOLS / "grpcurl").exists():
        print(f"skipped: there is no {TOOLS / 'grpcurl'}; install-grpcurl.sh could not install it")
        sys.exit(77)
    unittest.main()
