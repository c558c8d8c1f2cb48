"""A plugin opens all that its door gives, and more: others of its node lose nothing by it.

    door_siege_test.py PROGRAMS GENERATED

Exit status 77, which CTest shows as skipped, without grpcio.
"""

import os
import pathlib
import queue
import select
import socket
import sys
import threading
import time
import unittest

GENERATED = sys.argv.pop(2)

from lab import Lab, doors_of, galumph_manifest, take_down_after, wait_for  # noqa: E402

try:
    import grpc
except ImportError as missing:
    print(f"skipped: {missing}; the package is python3-grpcio")
    sys.exit(77)

sys.path.insert(0, GENERATED)
from radix.heartbeater.v1 import heartbeater_pb2  # noqa: E402
from radix.reeve.v1 import reeve_pb2  # noqa: E402
from radix.registry.v1 import registry_pb2  # noqa: E402

CONNECTIONS = 64
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


class Door:
    """Channels to it, each a connection of its own, and the streams on them."""

    def __init__(self, path, channels):
        # Channels of equal options share a connection.
        self.channels = [
            grpc.insecure_channel(f"unix:{path}", [("grpc.use_local_subchannel_pool", 1), ("radix.number", number)]) for number in range(channels)
        ]
        self.calls = []

    def open(self, count, method, message=None):
        """Streams that say nothing, or one thing, and stay open."""
        for number in range(count):
            channel = self.channels[number % len(self.channels)]
            if message is not None:
                call = channel.unary_stream(method)(message.SerializeToString())
            else:
                call = channel.stream_stream(method)(iter(threading.Event().wait, True))
            self.calls.append(call)

    def refused(self):
        """How many streams were refused so far, all with RESOURCE_EXHAUSTED."""
        codes = [call.code() for call in self.calls if not call.is_active()]
        assert set(codes) <= {grpc.StatusCode.RESOURCE_EXHAUSTED}, codes
        return len(codes)

    def close(self):
        for call in self.calls:
            call.cancel()
        for channel in self.channels:
            channel.close()


class DoorSiegeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.up(1)
        manifest = cls.lab.folder / "galumph.yaml"
        manifest.write_text(galumph_manifest(1))
        cls.lab.ok("apply", manifest)
        wait_for(lambda: cls.lab.where("galumph2_3"), 60, cls.lab.logs)
        cls.path = next(doors_of(cls.lab.state / "n1").glob("*/reeve.sock"))

    def reeve(self):
        (pid,) = [pid for pid in self.lab.processes() if b"\0reeve\0" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
        return pid

    def siege(self, channels, count, most, method, message=None):
        door = Door(self.path, channels)
        self.addCleanup(door.close)
        door.open(count, method, message)
        wait_for(lambda: door.refused() >= count - most, 20, lambda: f"{door.refused()} of {count} were refused")
        self.assertLessEqual(door.refused(), count - most + 8, "galumph itself has some")

    def test_streams_that_say_nothing_count(self):
        for method, most in (("Guard", 16), ("Introduce", 64)):
            self.siege(4, most + 40, most, f"/radix.trust.v1.PairingService/{method}")
        self.lab.ok("services")

    def test_watches_have_a_bound(self):
        watch = reeve_pb2.WatchRequest(selector=registry_pb2.Selector(horde="default", api="galumph2"))
        self.siege(6, 300, 256, "/radix.reeve.v1.ReeveService/Watch", watch)
        self.lab.ok("services")

    def test_connections_have_a_bound(self):
        before = self.reeve()
        sockets = []
        for _ in range(3 * CONNECTIONS):
            each = socket.socket(socket.AF_UNIX)
            self.addCleanup(each.close)
            each.connect(str(self.path))
            each.setblocking(False)
            try:
                each.sendall(PREFACE)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it was refused already
            sockets.append(each)

        def is_open(each):
            try:
                return each.recv(1 << 14, socket.MSG_PEEK) != b"" and not select.select([each], [], [], 0)[2]
            except BlockingIOError:
                return True
            except OSError:
                return False

        wait_for(lambda: sum(map(is_open, sockets)) <= CONNECTIONS, 20, lambda: f"{sum(map(is_open, sockets))} are open")
        self.assertGreater(sum(map(is_open, sockets)), CONNECTIONS // 2)
        self.lab.ok("services")
        self.assertEqual(self.reeve(), before, "reeve died of it")

    def test_what_is_given_up_leaves_no_instance_behind(self):
        address = self.lab.json("members")[0]["address"]
        start = int(pathlib.Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
        with grpc.insecure_channel(f"unix:{self.path}") as channel:
            for port in range(20000, 20040):
                beat = heartbeater_pb2.BeatRequest(net_id=f"{address}:{port}", status=1, api="galumph2", inst="galumph2_3",
                                                   pid=os.getpid(), pid_start_ticks=start)  # fmt: skip
                beat.issue_time.GetCurrentTime()
                beat.valid_until_time.FromSeconds(int(time.time()) + 59)
                beats = queue.Queue()
                beats.put(beat.SerializeToString())
                call = channel.stream_stream("/radix.heartbeater.v1.HeartbeaterService/Beat")(iter(beats.get, None))
                next(call)  # it is registered
                call.cancel()
        wait_for(lambda: self.lab.where("galumph2_3") == ["n1"], 20, lambda: self.lab.where("galumph2_3"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
