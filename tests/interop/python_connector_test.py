"""What the Python client refuses, and what its connector does with links that a test plays: what a lab shows once in a
hundred times happens here each time.

Exit status 77, which CTest shows as skipped, without what Python needs for it.
"""

import concurrent.futures
import os
import pathlib
import sys
import tempfile
import threading
import unittest
import unittest.mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import python_package  # noqa: E402
from lab import wait_for  # noqa: E402

python_package.skip_if_something_is_missing()

FOLDER = tempfile.TemporaryDirectory(prefix="radix-test-")
sys.path.insert(0, python_package.install(pathlib.Path(FOLDER.name))[1])

import radix  # noqa: E402
from radix import connector  # noqa: E402
from radix.registry.v1 import registry_pb2  # noqa: E402


def tearDownModule():
    FOLDER.cleanup()


class ConnectTest(unittest.TestCase):
    def test_a_bad_argument_is_named(self):
        for options, said in (
            ({"api": "a1", "inst": "a1_2"}, "api and inst: both"),
            ({}, "api and inst: neither"),
            ({"api": "a b"}, "api: 'a b'"),
            ({"inst": "x" * 64}, "inst: "),
            ({"api": "a1", "horde": "A"}, "horde: 'A'"),
            ({"api": "a1", "wait": -1}, "wait: -1"),
            ({"api": "a1", "rescan": 0}, "rescan: 0"),
            ({"api": "a1", "default_deadline": "1"}, "default_deadline: '1'"),
        ):
            with self.assertRaisesRegex(ValueError, said):
                radix.connect(str, network=radix.Network("/nowhere"), **options)

    def test_what_the_environment_lacks_is_named(self):
        good = {"RADIX_NODE": "n1", "RADIX_ADDRESS": "127.0.0.1", "RADIX_STATE": "/nowhere"}
        for variables, said in (
            ({**good, "RADIX_STATE": ""}, "RADIX_STATE is not set"),
            ({"RADIX_ADDRESS": "127.0.0.1"}, "RADIX_NODE, RADIX_STATE are not set"),
            ({**good, "RADIX_NODE": "N 1"}, "RADIX_NODE: 'N 1'"),
            ({**good, "RADIX_ADDRESS": "here"}, "RADIX_ADDRESS: 'here'"),
            ({**good, "RADIX_SERVICE": "a/b"}, "RADIX_SERVICE: 'a/b'"),
        ):
            with unittest.mock.patch.dict(os.environ, variables, clear=True), self.assertRaisesRegex(ValueError, said):
                radix.connect(str, api="galumph2")


class PlayedLink:
    """A link that does nothing by itself."""

    made = []

    def __init__(self, owner, connection, bound, _introductions, pair):
        self.owner, self.connection, self.bound, self.pair = owner, connection, bound, pair
        self.is_ready, self.opened, self.left, self.done = True, False, False, None
        PlayedLink.made.append(self)

    def open(self):
        self.opened = True

    def leave(self):
        self.left = True

    def begin_call(self):
        return self.is_ready

    def probe(self, done):
        self.done = done


class PlayedWatch:
    def __init__(self, _state, _selector, _rescan, on_delta):
        self.on_delta = on_delta
        PlayedWatch.last = self

    def error(self):
        return ""

    def stop(self):
        pass


def delta_of(*instances):
    delta = registry_pb2.Delta(snapshot=True)
    for inst, net_id in instances:
        delta.changes.add().instance.CopyFrom(
            registry_pb2.Instance(inst=inst, net_id=net_id, node="n1", status=registry_pb2.STATUS_SERVING)
        )
    return delta


class ConnectorTest(unittest.TestCase):
    def setUp(self):
        PlayedLink.made = []
        for name, played in ("Link", PlayedLink), ("InstanceWatch", PlayedWatch):
            patched = unittest.mock.patch.object(connector, name, played)
            patched.start()
            self.addCleanup(patched.stop)
        self.told, self.mistake = [], None
        network = unittest.mock.Mock(node="n1", horde="default", service="s")
        selector = registry_pb2.Selector(horde="default", api="g")
        self.connector = connector.Connector(network, selector, 20.0, 30.0, self.hear)
        self.addCleanup(self.connector.close)
        self.pool = concurrent.futures.ThreadPoolExecutor(4)
        self.addCleanup(self.pool.shutdown)

    def hear(self, bound):
        self.told.append(bound.inst)
        if self.mistake:
            raise self.mistake

    def have(self, *instances):
        PlayedWatch.last.on_delta(delta_of(*instances))

    def opened(self, count):
        wait_for(lambda: len(PlayedLink.made) == count and PlayedLink.made[-1].opened, 20, f"{count} links", every=0.01)
        return PlayedLink.made[-1]

    def bind_to(self, *instances):
        """Binds to the best of these, which opens one link."""
        self.have(*instances)
        best = self.opened(len(PlayedLink.made) + 1)
        self.connector.on_health(best, True)
        wait_for(lambda: self.connector.bound == best.bound, 20, "bound", every=0.01)
        return best

    def later_call(self):
        """A call of another thread, which is waiting already."""
        began = threading.Event()
        call = self.pool.submit(lambda: (began.set(), self.connector.begin_call())[1])
        began.wait(20)
        with self.assertRaises(concurrent.futures.TimeoutError):
            call.result(0.1)
        return call

    def test_no_call_follows_one_that_found_nobody_until_the_server_was_asked(self):
        bound = self.bind_to(("g_3", "a:1"))
        self.connector.doubt(bound)
        call = self.later_call()
        bound.done(True, "")
        self.assertIs(call.result(20), bound)

    def test_whoever_does_not_answer_is_left_for_another(self):
        bound = self.bind_to(("g_3", "a:1"), ("g_2", "b:1"))
        self.connector.doubt(bound)
        call = self.later_call()
        bound.done(False, "connection refused")
        self.connector.on_broken(self.opened(2), "connection refused")  # it is tried once more
        other = self.opened(3)
        self.connector.on_health(other, True)
        self.assertIs(call.result(20), other)
        self.assertTrue(bound.left)

    def test_no_call_goes_to_a_channel_that_broke_before_its_stream_says_so(self):
        bound = self.bind_to(("g_3", "a:1"))
        bound.is_ready = False
        call = self.later_call()
        new = self.opened(2)
        self.connector.on_health(new, True)
        self.assertIs(call.result(20), new)

    def test_a_link_with_another_key_takes_the_place_of_the_one_before_when_it_serves(self):
        old = self.bind_to(("g_3", "a:1"))
        self.connector.on_due(old)
        new = self.opened(2)
        self.assertIs(self.connector.begin_call(), old)
        self.connector.on_health(new, True)
        self.assertIs(self.connector.begin_call(), new)
        self.assertTrue(old.left)
        self.connector.on_broken(old, "nobody cares")
        self.assertIs(self.connector.begin_call(), new)
        self.assertEqual(self.connector.rebinds, 0)

    def test_a_link_with_another_key_that_fails_changes_nothing(self):
        old = self.bind_to(("g_3", "a:1"))
        self.connector.on_due(old)
        new = self.opened(2)
        self.connector.on_broken(new, "refused")
        self.assertTrue(new.left)
        self.assertIs(self.connector.begin_call(), old)
        self.assertFalse(old.left)

    def test_a_key_is_replaced_in_time_and_a_replacement_that_says_nothing_is_given_up(self):
        with unittest.mock.patch.multiple(connector, KEY_PERIOD=0.2, REPLACEMENT_LIMIT=0.1):
            old = self.bind_to(("g_3", "a:1"))
            first = self.opened(2)
            wait_for(lambda: first.left, 20, "it is given up", every=0.01)
            self.assertFalse(old.left)
            self.connector.on_health(self.opened(3), True)
            wait_for(lambda: old.left, 20, "the next one serves", every=0.01)

    def test_a_mistake_in_on_rebound_ends_nothing(self):
        self.mistake = RuntimeError("the application's own mistake")
        with self.assertLogs("radix"):
            self.bind_to(("g_3", "a:1"))
            self.bind_to(("g_4", "b:1"))
            wait_for(lambda: len(self.told) == 2, 20, "told of both", every=0.01)
        self.assertEqual((self.told, self.connector.rebinds), (["g_3", "g_4"], 1))

    def test_the_end_leaves_all_links_and_wakes_who_waits(self):
        bound = self.bind_to(("g_3", "a:1"))
        self.connector.on_due(bound)
        other = self.opened(2)
        self.connector.doubt(bound)
        call = self.later_call()
        self.connector.close()
        with self.assertRaisesRegex(ValueError, "closed"):
            call.result(20)
        self.assertTrue(bound.left and other.left)

    def test_an_introduction_says_what_is_meant(self):
        pair = self.bind_to(("g_3", "a:1")).pair
        meant = pair.net_id, pair.meant_horde, pair.meant_api, pair.meant_inst
        self.assertEqual(meant, ("a:1", "default", "g", "g_3"))
        self.assertEqual((pair.horde, pair.service), ("default", "s"))


if __name__ == "__main__":
    unittest.main()
