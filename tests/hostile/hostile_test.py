"""What a hostile peer does ends its own connection, is named in the log, and costs a good client no call.

    hostile_test.py PROGRAMS
"""

import contextlib
import pathlib
import resource
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import hostile_peer as hostile  # noqa: E402
from lab import PROGRAMS, wait_for  # noqa: E402
from target import Target  # noqa: E402

PATIENCE = 60


class HostileTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.target = Target(PROGRAMS)
        cls.addClassCleanup(cls.target.close)
        wait_for(lambda: cls.target.well() > 100, PATIENCE, "a good client's calls")
        cls.used = 0

    def setUp(self):
        # What one of them did is nothing to the next: keys and hosts of their own.
        HostileTest.used += 1
        self.key = self.target.key(self.used)
        self.host = f"127.66.0.{self.used}"

    def tearDown(self):
        before = self.target.well()
        wait_for(lambda: self.target.well() > before + 100, PATIENCE, "the good client stands still")
        self.assertEqual(self.target.failed(), 0)
        self.assertIsNone(self.target.server.poll(), "the server died of it")

    def suffer(self, attack, acknowledges=False):
        peer = hostile.Peer(self.target.address, hostile.context(self.key), self.host, acknowledges)
        with contextlib.closing(peer):
            attack(peer, PATIENCE)
            self.assertTrue(peer.ended.wait(PATIENCE), "it goes on")

    def line_about(self, what):
        """The line of the log that names this test's host."""

        def find():
            return [line for line in self.target.log().splitlines() if f"{self.host}{what}" in line]

        return wait_for(find, PATIENCE, lambda: f"no line about {self.host}")[0]

    def assert_ended(self, *reasons):
        line = self.line_about(":")
        self.assertRegex(line, rf"key [0-9a-f]{{64}} at ipv4:{self.host}:\d+ was ended: ({'|'.join(reasons)}): .* of one (key|host); shut out for 1 s")

    def test_rapid_reset(self):
        self.suffer(hostile.rapid_reset)
        self.assert_ended("calls without an answer", "open calls")

    def test_ten_thousand_calls_of_who_acknowledges_no_limit(self):
        self.suffer(hostile.open_calls(10000))
        self.assert_ended("open calls")

    def test_a_hundred_thousand_calls_at_once(self):
        self.suffer(hostile.open_calls(100000))
        self.assert_ended("open calls")

    def test_a_header_that_goes_on_for_ever(self):
        self.suffer(hostile.continuation_flood(16000))
        self.assert_ended("bytes that are no part of a call or a message")

    # gRPC counts the size of each frame anew.
    def test_a_header_that_goes_on_for_ever_in_small_frames_of_who_acknowledged_the_limit(self):
        self.suffer(hostile.continuation_flood(4000), acknowledges=True)
        self.assert_ended("bytes that are no part of a call or a message")

    def test_frames_of_an_unknown_kind(self):
        self.suffer(hostile.flood(hostile.frame(77, 0, 0, bytes(1000))))
        self.assert_ended("bytes that are no part of a call or a message")

    # gRPC ends these itself.
    def test_pings(self):
        self.suffer(hostile.flood(hostile.frame(hostile.PING, 0, 0, bytes(8))))

    def assert_others_are_let_in(self):
        host = self.host.replace("127.66.", "127.77.")
        with contextlib.closing(hostile.Peer(self.target.address, hostile.context(self.key), host)) as other:
            self.assertTrue(other.opened.wait(PATIENCE))

    def test_handshakes_that_are_never_finished(self):
        said = hostile.hello(hostile.context(self.key))
        with contextlib.ExitStack() as stack:
            for _ in range(200):
                stack.enter_context(hostile.half_handshake(self.target.address, said, self.host))
            self.assertIn("handshakes that are not done: more than 64 at once", self.line_about(" was refused"))
            self.assert_others_are_let_in()

    def test_strangers_of_several_hosts_that_say_nothing(self):
        hosts = [self.host.replace("127.66.0.", f"127.66.{number}.") for number in range(1, 6)]
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed[1], allowed[1]))
        over = threading.Event()
        crowd = threading.Thread(target=hostile.crowd, args=(self.target.address, hosts, 256, over.is_set))
        crowd.start()
        try:
            line = wait_for(lambda: [line for line in self.target.log().splitlines() if " made room for another" in line], PATIENCE, "nobody makes room")
            self.assertRegex(line[0], r"host 127\.66\.[1-5]\.\d+ made room for another: of 1024 connections without a handshake")
            for number in range(20):
                other = hostile.Peer(self.target.address, hostile.context(self.key), f"127.77.1.{number + 1}")
                with contextlib.closing(other):
                    self.assertTrue(other.opened.wait(PATIENCE))
        finally:
            over.set()
            crowd.join()

    def test_handshakes_of_a_stranger(self):
        tls = hostile.context(self.target.strangers_key)

        def refused():
            with contextlib.suppress(OSError):
                peer = hostile.Peer(self.target.address, tls, self.host)
                peer.ended.wait(PATIENCE)
                self.assertFalse(peer.opened.is_set(), "it was let in")
                peer.close()
            return f"host {self.host} was refused" in self.target.log()

        wait_for(refused, PATIENCE, "it may come again and again", every=0)
        self.assert_others_are_let_in()


if __name__ == "__main__":
    unittest.main()
