"""Radix for Python, installed with pip from the tree, against a real lab: whatever happens to instances, calls go on.

    python_client_test.py PROGRAMS

Exit status 77, which CTest shows as skipped, without what Python needs for it.
"""

import collections
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import python_package  # noqa: E402
from lab import Lab, galumph_manifest, take_down_after, wait_for  # noqa: E402

python_package.skip_if_something_is_missing()
import grpc  # noqa: E402

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
# galumph has no streams, but every server describes itself on one: asked for its services, it names them and ends.
ASK_SERVICES = b"\x3a\x01*"
SCRIPT = """
import radix
from galumph.v2 import galumph_pb2, galumph_pb2_grpc

galumph = radix.connect(galumph_pb2_grpc.GalumphStub, api="galumph2")
print(galumph.Register(galumph_pb2.RegisterRequest(beast="jubjub")).inst, flush=True)
"""
MANIFEST = """\
version: 1
name: hunter
services:
  - name: hunter
    api: hunt1
    inst: hunt1_0
    file: {file}
khan: |
  pick(hunter, {count}, ALL)
"""


class ReflectionStub:
    def __init__(self, channel):
        self.Ask = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")


class Load:
    """Calls that go on in threads, one after the other in each, until they are to stop."""

    def __init__(self, call, threads, pause=0.002):
        self.done = collections.Counter()  # by what the call returned
        self.failures = []
        self._call = call
        self._pause = pause  # the machine has other work; the load is there all the same
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]
        for each in self._threads:
            each.start()

    def _run(self):
        while not self._stop.is_set():
            try:
                self.done[self._call()] += 1
            except grpc.RpcError as error:
                self.failures.append((error.code(), error.details()))
            time.sleep(self._pause)

    def stop(self):
        self._stop.set()
        for each in self._threads:
            each.join(30)
        return self


class PythonClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        # Not in the lab's folder: plugins, which may be of other users, read it too.
        folder = pathlib.Path(tempfile.mkdtemp(prefix="radix-test-"))
        cls.addClassCleanup(shutil.rmtree, folder)
        folder.chmod(0o755)
        cls.python, packages = python_package.install(folder / "package")
        cls.stubs = python_package.make_stubs(folder / "stubs", "galumph/v2/galumph.proto")
        cls.paths = [packages, str(cls.stubs)]
        sys.path[:0] = cls.paths
        cls.lab.up(3)

    def setUp(self):
        import radix
        from galumph.v2 import galumph_pb2, galumph_pb2_grpc

        self.radix = radix
        self.stub_class = galumph_pb2_grpc.GalumphStub
        self.request = galumph_pb2.RegisterRequest(beast="snark")
        self.network = radix.Network.at(self.lab.state / "n1")

    def connect(self, stub_class=None, **options):
        wanted = {} if "inst" in options else {"api": "galumph2"}
        options = {"network": self.network, **wanted, **options}
        connection = self.radix.connect(stub_class or self.stub_class, **options)
        self.addCleanup(connection.close)
        return connection

    def have(self, **counts):
        """Has so many of each version run: have(galumph2_3=2)."""
        for inst, count in counts.items():
            path = self.lab.folder / f"{inst}.yaml"
            # Two manifests, so that either version can be there without the other.
            path.write_text(galumph_manifest(count, inst, name=inst.replace("_", "-")))
            self.lab.ok("apply", path)
        for inst, count in counts.items():
            self.await_count(inst, count)

    def await_count(self, inst, count):
        """Until so many serve, and none drains that a client might still be bound to."""

        def listed():
            services = self.lab.try_json("services")
            return None if services is None else [each["status"] for each in services if each["inst"] == inst]

        wait_for(lambda: listed() == ["serving"] * count, 60, lambda: f"{count} of {inst}: {listed()}")

    def pid_of(self, net_id):
        """Of the process that serves there."""
        from radix.reeve.v1 import reeve_pb2, reeve_pb2_grpc

        with grpc.insecure_channel(f"unix:{self.lab.state}/n1/reeve.sock") as channel:
            found = reeve_pb2_grpc.ReeveServiceStub(channel).ListInstances(reeve_pb2.ListInstancesRequest(), timeout=10)
        (pid,) = (each.pid for each in found.instances if each.net_id == net_id)
        return pid

    def states_of(self, pid):
        """Those of its threads."""
        stats = [task.read_text() for task in pathlib.Path(f"/proc/{pid}/task").glob("*/stat")]
        return [stat.rpartition(")")[2].split()[0] for stat in stats]

    def reeve_pid(self):
        (net_id,) = (s["net_id"] for s in self.lab.json("services") if (s["node"], s["api"]) == ("n1", "reeve1"))
        return self.pid_of(net_id)

    def own_keys(self):
        return {key["key"] for key in self.lab.json("keys", "ls") if key["role"] == "calls"}

    def test_calls_go_out_in_every_way_of_grpc(self):
        self.have(galumph2_3=2, galumph2_4=0)
        galumph = self.connect()
        self.assertEqual(galumph.Register(self.request).inst, "galumph2_3")
        reply, call = galumph.Register.with_call(self.request, metadata=(("a", "b"),))
        self.assertEqual((reply.inst, call.code()), ("galumph2_3", grpc.StatusCode.OK))
        future = galumph.Register.future(self.request, timeout=5)
        self.assertEqual(future.result(timeout=10).inst, "galumph2_3")
        self.assertIsInstance(future, grpc.Future)
        with self.assertRaises(grpc.RpcError) as caught:
            galumph.Register(type(self.request)())
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        self.assertEqual(galumph.bound.inst, "galumph2_3")
        self.assertEqual(galumph.rebinds, 0)
        self.assertIn(b"galumph.v2.Galumph", next(self.connect(ReflectionStub).Ask(iter([ASK_SERVICES]), timeout=10)))

    def test_a_call_without_a_deadline_gets_one(self):
        self.have(galumph2_3=1, galumph2_4=0)
        galumph = self.connect(default_deadline=0.5)
        galumph.Register(self.request)
        pid = self.pid_of(galumph.bound.net_id)
        os.kill(pid, signal.SIGSTOP)
        try:
            # Until its last thread has stopped, one may answer.
            wait_for(lambda: set(self.states_of(pid)) == {"T"}, 30, lambda: f"stopped: {self.states_of(pid)}")
            with self.assertRaises(grpc.RpcError) as caught:
                galumph.Register(self.request)
        finally:
            os.kill(pid, signal.SIGCONT)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.DEADLINE_EXCEEDED)

    def test_no_call_fails_while_versions_come_and_go(self):
        self.have(galumph2_3=2, galumph2_4=0)
        seen = []
        galumph = self.connect(on_rebound=seen.append)
        reflection = self.connect(ReflectionStub)
        control = self.connect(inst="galumph2_4", wait=0.1)
        unary = Load(lambda: galumph.Register(self.request).inst, threads=4)
        streams = Load(lambda: len(list(reflection.Ask(iter([ASK_SERVICES])))), threads=2)
        try:
            self.have(galumph2_4=2)
            wait_for(lambda: galumph.bound.inst == "galumph2_4", 30, "the better one is bound")
            self.assertEqual(control.Register(self.request, timeout=10).inst, "galumph2_4")
            self.have(galumph2_3=0)
            self.have(galumph2_3=2)
            self.have(galumph2_4=0)
            wait_for(lambda: galumph.bound.inst == "galumph2_3", 30, "back where it was")
            lost = Load(lambda: control.Register(self.request).inst, threads=1)
            try:
                wait_for(lambda: lost.failures, 30, "a client of the version that is gone fails")
            finally:
                lost.stop()
        finally:
            unary.stop()
            streams.stop()
        print(f"{unary.done} unary, {streams.done} streams; rebound {galumph.rebinds} times: {[b.inst for b in seen]}")
        self.assertEqual(unary.failures, [])
        self.assertEqual(streams.failures, [])
        self.assertEqual(set(unary.done), {"galumph2_3", "galumph2_4"})
        self.assertEqual(set(streams.done), {1}, "each stream has its one answer")
        self.assertGreaterEqual(reflection.rebinds, 2)
        self.assertEqual([seen[0].inst, seen[-1].inst], ["galumph2_3", "galumph2_3"])

    def test_a_stream_ends_where_it_began(self):
        self.have(galumph2_3=1, galumph2_4=0)
        reflection = self.connect(ReflectionStub)
        more = threading.Event()

        def requests():
            yield ASK_SERVICES
            more.wait(60)
            yield ASK_SERVICES

        stream = reflection.Ask(requests())
        next(stream)
        old = reflection.bound
        self.have(galumph2_4=1)
        wait_for(lambda: reflection.bound.inst == "galumph2_4", 30, "the better one is bound")
        self.assertNotEqual(reflection.bound, old)
        more.set()
        self.assertEqual(len(list(stream)), 1)

    def test_when_the_bound_instance_is_killed_only_calls_in_flight_fail(self):
        self.have(galumph2_3=3, galumph2_4=0)
        galumph, reflection = self.connect(), self.connect(ReflectionStub)
        load = Load(lambda: galumph.Register(self.request).node, threads=4, pause=0)
        streams = Load(lambda: len(list(reflection.Ask(iter([ASK_SERVICES])))), threads=2)
        took = []
        try:
            for _ in range(5):  # what a client does wrong in such a moment it does not do every time
                self.await_count("galumph2_3", 3)
                calls, asked = len(load.failures), len(streams.failures)
                took.append(self.kill_bound(galumph, load))
                self.assertLessEqual(len(load.failures) - calls, 4, "more calls than were in flight")
                self.assertLessEqual(len(streams.failures) - asked, 2, "more streams than were in flight")
        finally:
            load.stop()
            streams.stop()
        print(f"on another after {took} ms; failed: {len(load.failures)} calls, {len(streams.failures)} streams")
        self.assertTrue(all(code is UNAVAILABLE for code, _ in load.failures + streams.failures))
        self.assertLess(max(took), 1000)
        self.await_count("galumph2_3", 3)

    def kill_bound(self, connection, load):
        """After how many milliseconds the connection was bound to another; returns when `load` goes on."""
        wait_for(lambda: connection.bound, 30, "bound")
        killed, done = connection.bound, sum(load.done.values())
        wait_for(lambda: sum(load.done.values()) > done + 20, 30, "calls")
        pid = self.pid_of(killed.net_id)
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: connection.bound not in (None, killed), 10, "bound to another", every=0.005)
        took = 1000 * (time.monotonic() - began)
        done = sum(load.done.values())
        wait_for(lambda: sum(load.done.values()) > done + 20, 30, "calls elsewhere")
        return round(took)

    def test_without_an_instance_a_call_says_what_is_missing(self):
        galumph = self.connect(inst="galumph2_9", wait=0.5)
        began = time.monotonic()
        for call in (
            lambda: galumph.Register(self.request),
            lambda: galumph.Register(self.request, timeout=0.1),
            lambda: galumph.Register.future(self.request),
        ):
            with self.assertRaises(grpc.RpcError) as caught:
                call()
            self.assertEqual(caught.exception.code(), UNAVAILABLE)
            self.assertIn("no live instance of inst galumph2_9 in horde default", caught.exception.details())
        self.assertGreater(time.monotonic() - began, 0.9, "it waited")
        self.assertIsNone(galumph.bound)

    def test_without_a_node_a_call_says_so(self):
        galumph = self.connect(network=self.radix.Network.at(self.lab.folder / "nowhere"), wait=0.5)
        with self.assertRaises(grpc.RpcError) as caught:
            galumph.Register(self.request)
        self.assertEqual(caught.exception.code(), UNAVAILABLE)
        self.assertIn("this node's reeve: ", caught.exception.details())

    def test_when_the_nodes_reeve_is_killed_calls_go_on(self):
        self.have(galumph2_3=2, galumph2_4=0)
        galumph = self.connect()
        galumph.Register(self.request)
        load = Load(lambda: galumph.Register(self.request).inst, threads=2)
        try:
            before = self.reeve_pid()
            os.kill(before, signal.SIGKILL)

            def is_back():
                try:
                    return self.reeve_pid() != before
                except (AssertionError, ValueError, grpc.RpcError):
                    return False

            wait_for(is_back, 60, "reeve is started again")
            self.have(galumph2_4=2)
            wait_for(lambda: galumph.bound.inst == "galumph2_4", 30, "what is new is heard of again")
            seen = load.done["galumph2_4"]
            wait_for(lambda: load.done["galumph2_4"] > seen + 10, 30, "and called")
        finally:
            load.stop()
        self.assertEqual(load.failures, [])

    def test_keys_are_replaced_when_somebody_says_roll_and_withdrawn_at_the_end(self):
        self.have(galumph2_3=1)
        galumph = self.connect()
        galumph.Register(self.request)
        (first,) = wait_for(lambda: len(self.own_keys()) == 1 and self.own_keys(), 30, "one key")
        load = Load(lambda: galumph.Register(self.request).inst, threads=2)
        try:
            self.lab.ok("keys", "roll")
            wait_for(lambda: len(self.own_keys()) == 1 and first not in self.own_keys(), 30, "another key")
        finally:
            load.stop()
        self.assertEqual(load.failures, [])
        self.assertEqual(galumph.rebinds, 0)
        galumph.close()
        wait_for(lambda: not self.own_keys(), 30, "no key")
        with self.assertRaisesRegex(ValueError, "closed"):
            galumph.Register(self.request)

    def test_a_call_in_flight_outlives_its_connection(self):
        self.have(galumph2_3=1)
        with self.connect(ReflectionStub) as reflection:
            more = threading.Event()
            stream = reflection.Ask(ASK_SERVICES for _ in (0, 1) if _ == 0 or more.wait(60))
            next(stream)
        more.set()
        self.assertEqual(len(list(stream)), 1)
        wait_for(lambda: not self.own_keys(), 30, "then its key is withdrawn")

    def test_a_script_that_does_not_close_ends(self):
        self.have(galumph2_3=1, galumph2_4=0)
        address = next(m["address"] for m in self.lab.json("members") if m["node"] == "n1")
        environment = {
            "RADIX_NODE": "n1", "RADIX_ADDRESS": address, "RADIX_STATE": str(self.lab.state / "n1"),
            "PYTHONPATH": str(self.stubs),
        }  # fmt: skip
        done = subprocess.run(
            [self.python, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        self.assertEqual((done.returncode, done.stdout), (0, "galumph2_3\n"), done.stderr)
        self.assertEqual(done.stderr, "")

    def test_a_plugin_calls_as_who_its_manifest_says(self):
        self.have(galumph2_3=1, galumph2_4=0)
        program, manifest = self.lab.folder / "hunter.py", self.lab.folder / "hunter.yaml"
        wait = "import signal\nsignal.pause()\n"
        program.write_text(f"#!/usr/bin/python3\nimport sys\nsys.path[:0] = {self.paths}\n{SCRIPT}{wait}")
        program.chmod(0o755)
        self.apply_hunter(manifest, program, 1)
        self.addCleanup(self.apply_hunter, manifest, program, 0)
        said = lambda: "".join(log.read_text() for log in self.lab.state.glob("*/log/hunter.*.log"))  # noqa: E731
        wait_for(lambda: "galumph2_3\n" in said(), 60, said)
        keys = sum((self.lab.json("keys", "ls", "--node", node) for node in ("n1", "n2", "n3")), [])
        self.assertIn("default/hunter", {key["who"] for key in keys if key["role"] == "calls"})

    def apply_hunter(self, manifest, program, count):
        manifest.write_text(MANIFEST.format(file=program, count=count))
        self.lab.ok("apply", manifest)


if __name__ == "__main__":
    unittest.main()
