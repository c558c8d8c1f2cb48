"""Python's grpcio, Debian's, against a node's reeve: messages from protoc, calls by name.

    python_grpc_test.py PROGRAMS GENERATED

Exit status 77, which CTest shows as skipped, without grpcio.
"""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
GENERATED = sys.argv.pop(2)

from lab import Lab, take_down_after  # noqa: E402

try:
    import grpc
except ImportError as missing:
    print(f"skipped: {missing}; the package is python3-grpcio")
    sys.exit(77)

sys.path.insert(0, GENERATED)
from radix.reeve.v1 import reeve_pb2  # noqa: E402

SERVICE = "/radix.reeve.v1.ReeveService/"


class PythonGrpcTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.up(3)

    def setUp(self):
        self.channel = grpc.insecure_channel(f"unix:{self.lab.state}/n1/reeve.sock")
        self.addCleanup(self.channel.close)

    def call(self, method, request, response_type, channel=None):
        stub = (channel or self.channel).unary_unary(
            SERVICE + method,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=response_type.FromString,
        )
        return stub(request, timeout=10)

    def lookup(self, channel=None, **selector):
        request = reeve_pb2.LookupRequest()
        for name, value in selector.items():
            setattr(request.selector, name, value)
        return self.call("Lookup", request, reeve_pb2.LookupResponse, channel)

    def test_lookup_finds_every_reeve_its_own_first(self):
        found = self.lookup(horde="radix", api="reeve1")
        self.assertEqual(sorted(instance.node for instance in found.instances), ["n1", "n2", "n3"])
        self.assertEqual(found.instances[0].node, "n1")

    def test_what_was_found_lets_in_nobody_without_a_key(self):
        for instance in self.lookup(horde="radix", inst="reeve1_0").instances:
            for credentials in None, grpc.ssl_channel_credentials():
                dial = grpc.insecure_channel if credentials is None else grpc.secure_channel
                arguments = (instance.net_id,) if credentials is None else (instance.net_id, credentials)
                with dial(*arguments) as channel, self.assertRaises(grpc.RpcError) as caught:
                    self.lookup(channel, horde="radix", api="reeve1")
                self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)

    def test_with_an_issued_key_it_can_be_called_over_tcp(self):
        folder = self.lab.folder / "issued"
        issued = self.lab.run("keys", "issue", "--for", "reeve", "--out", folder, "--node", "n2")
        self.assertEqual(issued.returncode, 0, issued.stderr)
        authority, key, chain = ((folder / f"{name}.pem").read_bytes() for name in ("ca", "key", "cert"))
        (n2,) = (i.net_id for i in self.lookup(horde="radix", api="reeve1").instances if i.node == "n2")
        with grpc.secure_channel(
            n2, grpc.ssl_channel_credentials(authority, key, chain), [("grpc.ssl_target_name_override", "radix")]
        ) as channel:
            self.assertEqual(self.lookup(channel, horde="radix", api="reeve1").instances[0].node, "n2")

    def test_errors_have_their_codes(self):
        for selector, code in (
            ({"horde": "radix", "api": "none9"}, grpc.StatusCode.NOT_FOUND),
            ({"horde": "radix"}, grpc.StatusCode.INVALID_ARGUMENT),
            ({"horde": "radix", "api": "a", "inst": "b"}, grpc.StatusCode.INVALID_ARGUMENT),
            ({"horde": "radix", "api": "a b"}, grpc.StatusCode.INVALID_ARGUMENT),
        ):
            with self.assertRaises(grpc.RpcError) as caught:
                self.lookup(**selector)
            self.assertEqual(caught.exception.code(), code)
            self.assertTrue(caught.exception.details())

    def test_watch_begins_with_the_present_state(self):
        watch = self.channel.unary_stream(
            SERVICE + "Watch",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=reeve_pb2.WatchResponse.FromString,
        )
        request = reeve_pb2.WatchRequest()
        request.selector.horde = "*"
        stream = watch(request, timeout=10)
        first = next(stream).delta
        stream.cancel()
        self.assertTrue(first.snapshot)
        nodes = {change.instance.node for change in first.changes}
        self.assertEqual(nodes, {"n1", "n2", "n3"})

    def test_the_state_names_the_leaders_epoch(self):
        state = self.call("GetState", reeve_pb2.GetStateRequest(), reeve_pb2.GetStateResponse)
        self.assertEqual(state.epoch, self.lab.leader()[1])
        self.assertTrue(state.steward_connected)


if __name__ == "__main__":
    unittest.main()
