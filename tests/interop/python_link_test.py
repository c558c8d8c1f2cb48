"""What a link and the introductions of the Python client make of servers that a test plays, without nodes.

Exit status 77, which CTest shows as skipped, without what Python needs for it.
"""

import concurrent.futures
import pathlib
import queue
import sys
import tempfile
import threading
import unittest
import unittest.mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import python_package  # noqa: E402
from lab import wait_for  # noqa: E402

python_package.skip_if_something_is_missing()
import grpc  # noqa: E402

FOLDER = tempfile.TemporaryDirectory(prefix="radix-test-")
sys.path.insert(0, python_package.install(pathlib.Path(FOLDER.name))[1])

from google.protobuf.wrappers_pb2 import Int32Value  # noqa: E402
from radix import introductions, link  # noqa: E402
from radix.connector import Bound  # noqa: E402
from radix.trust.v1 import pairing_pb2  # noqa: E402


def tearDownModule():
    FOLDER.cleanup()


class PlayedServer(grpc.GenericRpcHandler):
    """Serves one streaming method: `play(requests)` makes its responses."""

    def __init__(self, path, kind, request_type, play, address):
        self.path = path
        decode = request_type.FromString if request_type else None
        self.handler = kind(lambda request, _: play(request), decode, lambda message: message.SerializeToString())
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), handlers=[self])
        self.port = self.server.add_insecure_port(address)
        self.server.start()

    def service(self, details):
        return self.handler if details.method == self.path else None


class LinkTest(unittest.TestCase):
    def setUp(self):
        self.health = queue.Queue()
        self.said = queue.Queue()
        self.owner = unittest.mock.Mock()
        self.owner.on_health.side_effect = lambda link_, serves: self.said.put(serves)
        self.owner.on_broken.side_effect = lambda link_, reason: self.said.put(reason)
        self.introduction = unittest.mock.Mock()
        introduced = unittest.mock.Mock(ask=unittest.mock.Mock(return_value=self.introduction))
        bound = Bound("g_3", "127.0.0.1:1", "n1")
        self.link = link.Link(self.owner, 1, bound, introduced, pairing_pb2.Pair(net_id=bound.net_id))
        self.addCleanup(self.link.leave)

    def open(self, path=link.HEALTH + "Watch"):
        play = lambda _: iter(lambda: Int32Value(value=self.health.get()), Int32Value(value=-1))  # noqa: E731
        server = PlayedServer(path, grpc.unary_stream_rpc_method_handler, None, play, "127.0.0.1:0")
        self.addCleanup(self.health.put, -1)
        self.addCleanup(server.server.stop, None)
        dial = lambda *_: grpc.insecure_channel(f"127.0.0.1:{server.port}")  # noqa: E731
        patched = unittest.mock.patch.object(link, "dial_introduced", dial)
        patched.start()
        self.addCleanup(patched.stop)
        self.link.open()
        return server.server

    def test_it_tells_of_serving_and_draining_and_of_the_end(self):
        server = self.open()
        for value, serves in (1, True), (2, False), (1, True):
            self.health.put(value)
            self.assertIs(self.said.get(timeout=20), serves)
        self.assertTrue(self.link.begin_call())
        server.stop(None)
        self.assertIsInstance(self.said.get(timeout=20), str)
        wait_for(lambda: not self.link.begin_call(), 20, "no call begins on what is broken")

    def test_a_server_without_health_serves(self):
        self.open(path="/nothing")
        self.assertIs(self.said.get(timeout=20), True)

    def test_its_key_is_withdrawn_after_its_last_call(self):
        self.open()
        self.health.put(1)
        self.said.get(timeout=20)
        self.assertTrue(self.link.begin_call())
        self.link.leave()
        self.said.get(timeout=20)  # its stream has ended
        self.assertFalse(self.link.begin_call())
        self.introduction.withdraw.assert_not_called()
        self.link.end_call()
        wait_for(lambda: self.introduction.withdraw.called, 20, "the key is withdrawn")

    def test_a_probe_is_always_answered(self):
        answers = queue.Queue()
        server = self.open()
        self.health.put(1)
        self.said.get(timeout=20)
        self.link.probe(lambda there, reason: answers.put(there))
        self.assertIs(answers.get(timeout=20), True, "it has no such method, but it is there")
        server.stop(None).wait(20)
        self.link.probe(lambda there, reason: answers.put(there))
        self.assertIs(answers.get(timeout=20), False)
        self.link.leave()
        self.link.probe(lambda there, reason: answers.put(there))
        self.assertIs(answers.get(timeout=20), False)

    def test_it_tells_why_its_key_is_not_let_in(self):
        self.introduction.wait.side_effect = introductions.NotIntroduced("the rules say no")
        self.open()
        self.assertEqual(self.said.get(timeout=20), "the rules say no")
        wait_for(lambda: self.introduction.withdraw.called, 20, "the key is withdrawn")


class IntroductionsTest(unittest.TestCase):
    PATH = "/radix.trust.v1.PairingService/Introduce"

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="radix-test-")
        self.addCleanup(folder.cleanup)
        self.address = f"unix:{folder.name}/reeve.sock"
        self.asked, self.answers = queue.Queue(), queue.Queue()
        self.reeve = self.start_reeve()
        self.introductions = introductions.Introductions(folder.name)

    def start_reeve(self):
        def play(requests):
            def read():
                try:
                    for request in requests:
                        self.asked.put(request)
                except grpc.RpcError:
                    pass
                self.asked.put(None)
                self.answers.put(None)

            threading.Thread(target=read, daemon=True).start()
            yield from iter(self.answers.get, None)

        kind = grpc.stream_stream_rpc_method_handler
        reeve = PlayedServer(self.PATH, kind, pairing_pb2.IntroduceRequest, play, self.address)
        self.addCleanup(reeve.server.stop, None)
        return reeve.server

    def ask(self, key):
        due = queue.Queue()
        introduction = self.introductions.ask(pairing_pb2.Pair(key=key, net_id="127.0.0.1:1"), due.put)
        self.addCleanup(introduction.withdraw)
        return introduction, due

    def answer(self, *admissions, roll=False):
        response = pairing_pb2.IntroduceResponse(roll=roll)
        for key, code, message, certificates in admissions:
            response.admissions.add(key=key, code=code, message=message, endpoint_certificates=certificates)
        self.answers.put(response)

    def heard(self):
        request = self.asked.get(timeout=20)
        return request and ([pair.key for pair in request.pairs], list(request.gone))

    def test_keys_come_in_over_one_stream_which_ends_with_the_last(self):
        a, due = self.ask("a")
        self.assertEqual(self.heard(), (["a"], []))
        self.answer(("a", 0, "", ["certificate"]))
        self.assertEqual(a.wait(20), ["certificate"])
        b, _ = self.ask("b")
        self.assertEqual(self.heard(), (["b"], []))
        self.answer(roll=True)
        self.assertIsNone(due.get(timeout=20))
        a.withdraw()
        self.assertEqual(self.heard(), ([], ["a"]))
        b.withdraw()
        while self.heard() is not None:  # it may still say that b is gone
            pass

    def test_a_refusal_says_why_at_once_and_later(self):
        a, _ = self.ask("a")
        self.answer(("a", 5, "g_3 is served there", []))
        with self.assertRaisesRegex(introductions.NotIntroduced, "g_3 is served there"):
            a.wait(20)
        b, due = self.ask("b")
        self.answer(("b", 0, "", ["certificate"]), ("b", introductions.FORBIDDEN, "it was revoked", []))
        b.wait(20)
        self.assertEqual(due.get(timeout=20), "it was revoked")

    def test_a_reeve_that_is_started_again_is_told_all(self):
        a, _ = self.ask("a")
        b, _ = self.ask("b")
        self.answer(("a", 0, "", ["certificate"]), ("b", 0, "", ["certificate"]))
        for each in a, b:
            each.wait(20)
        self.reeve.stop(None).wait(20)
        wait_for(lambda: self.heard() is None, 20, "the stream ended")
        while not self.answers.empty():
            self.answers.get()
        self.start_reeve()
        self.assertEqual(self.heard(), (["a", "b"], []))

    def test_nobody_waits_for_ever(self):
        a, _ = self.ask("a")
        with self.assertRaisesRegex(introductions.NotIntroduced, "did not answer in time"):
            a.wait(0.1)
        b, _ = self.ask("b")
        threading.Timer(0.1, b.withdraw).start()
        with self.assertRaisesRegex(introductions.NotIntroduced, "withdrawn"):
            b.wait(20)


if __name__ == "__main__":
    unittest.main()
