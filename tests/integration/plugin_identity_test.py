"""A plugin is who its manifest says, whatever it says itself; and nothing of that is lost when reeve or picket is killed.

    plugin_identity_test.py PROGRAMS GENERATED

Exit status 77, which CTest shows as skipped, without grpcio.
"""

import base64
import contextlib
import errno
import json
import os
import pathlib
import signal
import stat
import subprocess
import sys
import threading
import unittest

GENERATED = sys.argv.pop(2)

from lab import PROGRAMS, Lab, doors_of, galumph_manifest, short_name, take_down_after, wait_for  # noqa: E402

try:
    import grpc  # noqa: F401
except ImportError as missing:
    print(f"skipped: {missing}; the package is python3-grpcio")
    sys.exit(77)

sys.path.insert(0, GENERATED)
from radix.heartbeater.v1 import heartbeater_pb2  # noqa: E402
from radix.muster.v1 import muster_pb2  # noqa: E402
from radix.reeve.v1 import reeve_pb2  # noqa: E402
from radix.trust.v1 import door_pb2, pairing_pb2, trust_pb2  # noqa: E402

AS_OTHERS = os.geteuid() == 0
REFUSED = errno.EACCES
KEYS = [f"{number:064x}" for number in range(1, 9)]
MINE = {"horde": "default", "api": "spy1", "inst": "spy1_0"}
PORT = 7999  # nobody listens there

SPY = """\
version: 1
name: spy
services:
  - name: spy
    api: spy1
    inst: spy1_0
    file: {file}
khan: |
  pick(spy, {count}, LABEL(spy))
"""


def beat(net_id, **other):
    message = heartbeater_pb2.BeatRequest(net_id=net_id, status=1, **{**MINE, **other})
    message.issue_time.GetCurrentTime()
    message.valid_until_time.FromSeconds(message.issue_time.seconds + 3)
    return message


def guarded(net_id, **other):
    endpoint = pairing_pb2.GuardedEndpoint(net_id=net_id, service="spy", keys=KEYS[:1])
    for name, value in {**MINE, **other}.items():
        setattr(endpoint, name, value)
    return pairing_pb2.GuardRequest(endpoint=endpoint)


def introduced(key, net_id, **other):
    said = {"horde": "default", "service": "spy", **other}
    pair = pairing_pb2.Pair(key=key, net_id=net_id, meant_horde="default", meant_api="galumph2", **said)
    return pairing_pb2.IntroduceRequest(pairs=[pair])


def entry(**other):
    return muster_pb2.RegisterRequest(entry=muster_pb2.Entry(filename="sha256:" + "0" * 64, **{**MINE, **other}))


class PluginIdentityTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.ok("lab", "up", "--nodes", 3, "--label", "n1:spy", *cls.lab.flags)
        cls.state = cls.lab.state / "n1"
        cls.galumph = cls.lab.folder / "galumph.yaml"
        cls.galumph.write_text(galumph_manifest(3))
        cls.lab.ok("apply", cls.galumph)
        wait_for(lambda: len(cls.lab.where("galumph2_3")) == 3, 60, "galumph on every node")
        net_ids = {each["node"]: each["net_id"] for each in cls.lab.json("services") if each["inst"] == "galumph2_3"}
        addresses = {node: net_id.rsplit(":", 1)[0] for node, net_id in net_ids.items()}
        cls.other_door = next(path for path in doors_of(cls.state).iterdir())
        cls.spy = cls.lab.folder / "spy.py"
        plan = cls.plan(f"{addresses['n1']}:{PORT}", f"{addresses['n2']}:{PORT}", net_ids["n2"])
        text = pathlib.Path(__file__).with_name("spy.py").read_text()
        cls.spy.write_text(text.replace("@PLAN@", json.dumps(plan)))
        cls.spy.chmod(0o755)
        cls.apply_spy(1)
        wait_for(lambda: cls.said("done"), 60, lambda: cls.lab.logs(30))

    @classmethod
    def apply_spy(cls, count):
        manifest = cls.lab.folder / "spy.yaml"
        manifest.write_text(SPY.format(file=cls.spy, count=count))
        cls.lab.ok("apply", manifest)

    @classmethod
    def plan(cls, own, other, galumph):
        """What the spy does. `own` and `other` are netIDs of its own node and of another."""
        reeve, pairing, doors = ("/radix.reeve.v1.ReeveService/", "/radix.trust.v1.PairingService/", "/radix.trust.v1.DoorService/")
        beats = "/radix.heartbeater.v1.HeartbeaterService/"
        lookup = reeve_pb2.LookupRequest()
        lookup.selector.api = "galumph2"
        calls = [
            ("look up", "reeve.sock", reeve + "Lookup", lookup, True),
            ("state", "reeve.sock", reeve + "GetState", reeve_pb2.GetStateRequest(), True),
            ("search", "reeve.sock", reeve + "SearchEntries", muster_pb2.SearchRequest(), True),
            ("introduce", "reeve.sock", pairing + "Introduce", introduced(KEYS[1], galumph), False),
            ("guard", "reeve.sock", pairing + "Guard", guarded(own), False),
            ("beat", "heartbeater.sock", beats + "Beat", beat(own), False),
            ("register", "reeve.sock", reeve + "RegisterEntry", entry(), True),
            ("introduce as service", "reeve.sock", pairing + "Introduce", introduced(KEYS[2], galumph, service="galumph"), False),
            ("introduce as horde", "reeve.sock", pairing + "Introduce", introduced(KEYS[3], galumph, horde="radix"), False),
            ("guard as service", "reeve.sock", pairing + "Guard", guarded(own, service="galumph"), False),
            ("guard as horde", "reeve.sock", pairing + "Guard", guarded(own, horde="shop"), False),
            ("guard as api", "reeve.sock", pairing + "Guard", guarded(own, api="galumph2"), False),
            ("guard as inst", "reeve.sock", pairing + "Guard", guarded(own, inst="spy1_9"), False),
            ("beat as api", "heartbeater.sock", beats + "Beat", beat(own, api="galumph2", inst="galumph2_9"), False),
            ("beat as horde", "heartbeater.sock", beats + "Beat", beat(own, horde="radix"), False),
            ("beat as inst", "heartbeater.sock", beats + "Beat", beat(own, inst="spy1_9"), False),
            ("beat for another node", "heartbeater.sock", beats + "Beat", beat(other), False),
            ("register as horde", "reeve.sock", reeve + "RegisterEntry", entry(horde="shop"), True),
            ("register as api", "reeve.sock", reeve + "RegisterEntry", entry(api="galumph2", inst="galumph2_9"), True),
            ("list keys", "reeve.sock", pairing + "ListKeys", pairing_pb2.ListKeysRequest(), True),
            ("roll keys", "reeve.sock", pairing + "RollKeys", pairing_pb2.RollKeysRequest(), True),
            ("announce", "reeve.sock", pairing + "Announce", pairing_pb2.AnnounceRequest(), False),
            ("hold doors", "reeve.sock", doors + "HoldDoors", door_pb2.HoldDoorsRequest(number=1), False),
            ("peers", "reeve.sock", "/radix.trust.v1.TrustService/WatchPeers", trust_pb2.WatchPeersRequest(), True),
            ("list beats", "heartbeater.sock", beats + "ListInstances", heartbeater_pb2.ListInstancesRequest(), True),
        ]
        kept = [
            ("beat", "heartbeater.sock", beats + "Beat", beat(own)),
            ("introduce", "reeve.sock", pairing + "Introduce", introduced(KEYS[4], galumph)),
        ]
        encode = lambda message: base64.b64encode(message.SerializeToString()).decode()  # noqa: E731
        return {
            "calls": [{"name": n, "socket": s, "method": m, "message": encode(q), "unary": u} for n, s, m, q, u in calls],
            "kept": [{"name": n, "socket": s, "method": m, "message": encode(q)} for n, s, m, q in kept],
            "files": [str(cls.state / "node.key"), str(cls.lab.state / "secondary.key"), str(cls.state / "log" / "reeve.log")],
            "sockets": [str(cls.state / f"{name}.sock") for name in ("reeve", "heartbeater", "picket", "dean", "flock")]
            + [str(cls.other_door / "reeve.sock")],
            "pids": [cls.pid_of("reeve"), cls.pid_of("picket")],
        }

    @classmethod
    def pid_of(cls, service):
        """The process of n1's `service`, or None."""
        for entry_ in pathlib.Path("/proc").iterdir():
            try:
                line = (entry_ / "cmdline").read_bytes().split(b"\0") if entry_.name.isdigit() else []
            except OSError:
                continue
            if line[:2] == [b"fulcrum", service.encode()] and str(cls.state).encode() in line:
                return int(entry_.name)
        return None

    @classmethod
    def said(cls, key):
        """All that the spy said that has `key`."""
        (log,) = [*cls.state.glob("log/spy.*.log"), None][:1]
        lines = log.read_text().splitlines() if log else []
        objects = [json.loads(line) for line in lines if line.startswith("{")]
        return [each for each in objects if key in each]

    def outcome(self, name):
        (found,) = [each for each in self.said("name") if each["name"] == name]
        return found["code"], found["details"]

    def plugins(self):
        """{inst: (net_id, status)} of what is registered of n1's plugins, and the processes of these."""
        services = [each for each in self.lab.try_json("services") or [] if each["node"] == "n1" and each["horde"] == "default"]
        return {each["inst"]: (each["net_id"], each["status"]) for each in services}

    def processes(self):
        """{plugin: pid}, of n1."""
        found = {}
        for entry_ in pathlib.Path("/proc").iterdir():
            try:
                variables = (entry_ / "environ").read_bytes().split(b"\0") if entry_.name.isdigit() else []
            except OSError:
                continue
            if f"RADIX_SUPERVISOR_STATE={self.state}".encode() in variables:
                found.update({v[13:].decode(): int(entry_.name) for v in variables if v.startswith(b"RADIX_PLUGIN=")})
        return {plugin: pid for plugin, pid in found.items() if plugin.startswith(("spy.", "galumph."))}

    def galumph_answers(self):
        """Whether a client of n1's calls all instances of galumph."""
        done = subprocess.run([PROGRAMS / "galumph_client", "--state", self.state, "--threads", "1", "--seconds", "1"],
                              capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
        return sum(json.loads(done.stdout)["insts"].values()) > 0

    def await_all_well(self, kept_before):
        """Until both plugins serve, and the spy's streams were opened again after there were `kept_before` of its words."""
        serve = {"galumph2_3": "serving", "spy1_0": "serving"}
        wait_for(lambda: {inst: status for inst, (_, status) in self.plugins().items()} == serve, 30, self.plugins)
        wait_for(lambda: {each["kept"] for each in self.said("kept")[kept_before:] if each["code"] == "OK"} == {"beat", "introduce"}
                 or not kept_before, 30, lambda: self.said("kept")[kept_before:])
        wait_for(self.galumph_answers, 30, "galumph answers")

    def test_0_what_is_its_own_it_may(self):
        for name in ("look up", "state", "search", "introduce", "guard", "beat", "register"):
            self.assertEqual(self.outcome(name), ("OK", ""), name)
        wait_for(lambda: self.plugins().get("spy1_0", ("", ""))[1] == "serving", 30, self.plugins)

    def test_1_to_be_somebody_else_is_refused_and_the_field_is_named(self):
        fields = {
            "introduce as service": "pairs[0].service: says 'galumph', but this is the door of default/spy",
            "introduce as horde": "pairs[0].horde: says 'radix', but",
            "guard as service": "endpoint.service: says 'galumph', but",
            "guard as horde": "endpoint.horde: says 'shop', but",
            "guard as api": "endpoint.api: says 'galumph2', but",
            "guard as inst": "endpoint.inst: says 'spy1_9', but",
            "beat as api": "api: says 'galumph2', but this is the door of default/spy, which serves spy1 spy1_0",
            "beat as horde": "horde: says 'radix', but",
            "beat as inst": "inst: says 'spy1_9', but",
            "beat for another node": "net_id: says '127.",
            "register as horde": "entry.horde: says 'shop', but",
            "register as api": "entry.api: says 'galumph2', but",
            "list keys": "this is the door of default/spy; the node's keys are for its operator",
            "roll keys": "this is the door of default/spy; the node's keys are for its operator",
            "announce": "only reeves of other nodes may ask",
        }
        for name, field in fields.items():
            code, details = self.outcome(name)
            self.assertEqual(code, "PERMISSION_DENIED", f"{name}: {details}")
            self.assertTrue(details.startswith(field), f"{name}: {details}")
        for name in ("hold doors", "peers", "list beats"):
            self.assertEqual(self.outcome(name)[0], "UNIMPLEMENTED", name)
        self.assertEqual({each["inst"] for each in self.lab.json("services") if each["horde"] == "default"}, {"spy1_0", "galumph2_3"})

    @unittest.skipUnless(AS_OTHERS, "only root can give it a user of its own")
    def test_1_it_runs_as_another_user_who_reaches_nothing_of_the_nodes(self):
        (who,) = self.said("uid")
        self.assertTrue(61184 <= who["uid"] <= 65519, who)
        self.assertEqual((who["gid"], who["groups"]), (who["uid"], []))
        self.assertEqual(who["state"], str(doors_of(self.state) / pathlib.Path(who["state"]).name))
        tried = self.said("file")
        self.assertEqual(len(tried), 4)
        for each in tried:
            self.assertEqual(each["errno"], REFUSED, each)
        tried = self.said("socket")
        self.assertEqual(len(tried), 6)
        for each in tried:
            self.assertEqual(each["errno"], REFUSED, each)
        for each in self.said("pid"):
            self.assertEqual(each["errno"], errno.EPERM, each)
        pids = self.processes()
        users = {plugin: os.stat(f"/proc/{pid}").st_uid for plugin, pid in pids.items()}
        self.assertEqual(len(set(users.values())), 2, users)

    def test_1_nobody_else_gets_at_what_the_node_keeps(self):
        self.assertEqual(stat.S_IMODE(self.state.stat().st_mode), 0o700)
        for path in self.state.rglob("*"):
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode) and path.suffix == ".key":
                self.assertEqual(stat.S_IMODE(mode), 0o600, path)
        if not AS_OTHERS:
            return
        doors = doors_of(self.state)
        self.assertEqual([stat.S_IMODE(path.stat().st_mode) for path in (doors.parent, doors)], [0o711, 0o711])
        for door in doors.iterdir():
            info = door.stat()
            self.assertEqual((info.st_uid, stat.S_IMODE(info.st_mode)), (0, 0o710), door)
            socket = (door / "reeve.sock").stat()
            self.assertEqual((socket.st_uid, socket.st_gid, stat.S_IMODE(socket.st_mode)), (0, info.st_gid, 0o660), door)

    @contextlib.contextmanager
    def seen_from(self, node):
        """Where galumph is, as that node sees it again and again."""
        seen, end = [], threading.Event()

        def look():
            while not end.is_set():
                seen.append(self.lab.where("galumph2_3", node))

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield seen
        finally:
            end.set()
            thread.join()

    def test_2_it_goes_on_when_reeve_is_killed(self):
        self.await_all_well(0)
        before, processes, kept = self.plugins(), self.processes(), len(self.said("kept"))
        self.assertEqual(len(processes), 2, processes)
        reeve = self.pid_of("reeve")
        with self.seen_from("n2") as seen:
            os.kill(reeve, signal.SIGKILL)
            wait_for(lambda: self.pid_of("reeve") not in (None, reeve), 30, "another reeve")
            self.await_all_well(kept)
        # Whoever beats with its pid, as every C++ service does, is known to live on.
        self.assertEqual(set(map(tuple, seen)), {("n1", "n2", "n3")})
        self.assertEqual(self.plugins(), before)
        self.assertEqual(self.processes(), processes, "nobody was started again")

    def test_3_it_notices_nothing_when_picket_is_killed(self):
        self.await_all_well(0)
        sockets = {path: path.stat().st_ino for path in doors_of(self.state).glob("*/reeve.sock")}
        processes, kept = self.processes(), len(self.said("kept"))
        self.assertEqual((len(sockets), len(processes)), (2, 2))
        picket = self.pid_of("picket")
        os.kill(picket, signal.SIGKILL)
        wait_for(lambda: self.pid_of("picket") not in (None, picket), 30, "another picket")
        self.lab.ok("status", "--wait")
        self.await_all_well(0)
        self.assertEqual({path: path.stat().st_ino for path in doors_of(self.state).glob("*/reeve.sock")}, sockets)
        self.assertEqual(self.processes(), processes)
        self.assertEqual([each for each in self.said("kept")[kept:] if each["code"] != "OK"], [])

    def test_4_who_may_not_serve_is_not_registered(self):
        rules = self.lab.ok("rules", "show", "--text")
        path = self.lab.folder / "a.rules"
        path.write_text("call default/* default/*\nserve default/galumph default/galumph2\n")
        self.lab.ok("rules", "apply", path)
        wait_for(lambda: "spy1_0" not in {i for i, (_, s) in self.plugins().items() if s == "serving"}, 30, self.plugins)
        last = [each for each in self.said("kept") if each["kept"] == "beat"][-1]
        self.assertEqual(last["code"], "PERMISSION_DENIED")
        self.assertEqual(last["details"], "default/spy may not serve default/spy1: no rule matches")
        path.write_text(rules)
        self.lab.ok("rules", "apply", path)
        wait_for(lambda: self.plugins().get("spy1_0", ("", ""))[1] == "serving", 30, self.plugins)

    def test_5_a_door_goes_with_its_plugin(self):
        doors = doors_of(self.state)
        (state,) = {each["state"] for each in self.said("state")}
        self.assertTrue((doors / pathlib.Path(state).name).exists())
        plugin = next(plugin for plugin in self.processes() if plugin.startswith("spy."))
        self.assertEqual(pathlib.Path(state).name, short_name(plugin))
        self.apply_spy(0)
        wait_for(lambda: not pathlib.Path(state).exists(), 30, "the door is gone")
        self.assertEqual(list(doors.iterdir()), [self.other_door])


if __name__ == "__main__":
    unittest.main()
