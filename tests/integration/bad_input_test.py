"""Bad input: one clear message that names file, line or field; nothing half done; nobody dies of it."""

import json
import os
import random
import socket
import subprocess
import unittest

from lab import FULCRUM, RADIX, Lab, take_down_after, wait_for

CHARTER = """\
bloc: test
ranges: ["127.77.0.0/28"]
port: 7444
at_most: 5
key_file: secondary.key
"""

MANIFEST = """\
version: 1
name: bad
services:
  - name: galumph
    api: galumph2
    inst: galumph2_3
    file: /bin/true
khan: |
  here := ALL
  pick(galumph, 3, here)
"""


class CharterTest(unittest.TestCase):
    """`fulcrum check` and `fulcrum --charter` on charters that are wrong."""

    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.down)
        self.charter = self.lab.folder / "charter.yaml"
        self.key = self.lab.folder / "secondary.key"
        subprocess.run([FULCRUM, "keygen", self.key], check=True, timeout=20)

    def check(self, text=CHARTER):
        self.charter.write_text(text)
        return subprocess.run([FULCRUM, "check", self.charter], capture_output=True, text=True, timeout=20, check=False)

    def assert_refused(self, text, *mentions):
        done = self.check(text)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        for mention in mentions:
            self.assertIn(mention, done.stderr)
        # The node itself says the same, and leaves nothing behind.
        state = self.lab.folder / "node"
        booted = subprocess.run(
            [FULCRUM, "--charter", self.charter, "--name", "a", "--address", "127.77.0.1", "--state", state],
            capture_output=True, text=True, timeout=20, check=False,
        )
        self.assertEqual(booted.returncode, 1)
        self.assertIn(mentions[-1], booted.stderr)
        self.assertFalse((state / "flock.sock").exists())

    def test_a_good_charter_is_good(self):
        done = self.check()
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_an_unknown_field(self):
        self.assert_refused(CHARTER + "quroum: 3\n", "charter.yaml:6", "quroum")

    def test_a_range_that_is_none(self):
        self.assert_refused(CHARTER.replace("127.77.0.0/28", "127.77.0.0/pigs"), "charter.yaml:2", "ranges")

    def test_a_quorum_of_half(self):
        self.assert_refused(CHARTER.replace("at_most: 5", "at_most: 4") + "quorum: 2\n", "charter.yaml:6", "quorum")

    def test_more_at_most_than_slots(self):
        self.assert_refused(CHARTER.replace("at_most: 5", "at_most: 17"), "charter.yaml:4", "at_most")

    def test_a_port_that_is_none(self):
        self.assert_refused(CHARTER.replace("7444", "70000"), "charter.yaml:3", "port")

    def test_no_yaml(self):
        self.assert_refused("bloc: [", "charter.yaml")

    def test_a_key_file_that_is_missing_open_to_others_or_no_key(self):
        self.key.chmod(0o644)
        self.assert_refused(CHARTER, "secondary.key")
        self.key.chmod(0o600)
        self.key.write_text("not a key\n")
        self.assert_refused(CHARTER, "secondary.key:1")
        self.key.unlink()
        self.assert_refused(CHARTER, "secondary.key")

    def test_a_flag_is_no_file(self):
        for verb in ("check", "keygen"):
            done = subprocess.run(
                [FULCRUM, verb, "--help"], cwd=self.lab.folder, capture_output=True, text=True, timeout=20, check=False
            )
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("usage:", done.stderr)
        self.assertFalse((self.lab.folder / "--help").exists())

    def test_an_address_outside_the_ranges(self):
        self.charter.write_text(CHARTER)
        done = subprocess.run(
            [FULCRUM, "--charter", self.charter, "--address", "127.1.1.1", "--state", self.lab.folder / "node"],
            capture_output=True, text=True, timeout=20, check=False,
        )
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("127.1.1.1", done.stderr)


class LabUpTest(unittest.TestCase):
    """`lab up` with what cannot be."""

    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.down)

    def assert_refused(self, code, mention, *arguments):
        done = self.lab.run("lab", "up", *self.lab.flags, *arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(mention, done.stderr)
        self.assertEqual(self.lab.processes(), [])

    def test_more_nodes_than_the_range_has(self):
        self.assert_refused(1, "--nodes", "--nodes", 64)

    def test_flags_that_are_none(self):
        self.assert_refused(2, "--nodes", "--nodes", "many")
        self.assert_refused(2, "--label", "--nodes", 1, "--label", "n9:x")
        done = self.lab.run("lab", "up", "--range", "pigs")
        self.assertEqual((done.returncode, "--range" in done.stderr), (2, True))
        for timeout in ("nan", "inf", "-1", "1e300", "soon", "86401"):
            for words in (["status", "--wait"], ["apply", "m.yaml"]):
                done = self.lab.run(*words, "--timeout", timeout)
                self.assertEqual((done.returncode, "--timeout" in done.stderr), (2, True), done.stderr)
        for words in (["levitate"], ["lab", "levitate"], ["members", "--levitate"]):
            done = self.lab.run(*words)
            self.assertEqual((done.returncode, "levitate" in done.stderr), (2, True), done.stderr)
        self.assertIn("`radix lab kill --help`", self.lab.run("lab", "kill").stderr)
        done = self.lab.run("status", "--timeout", 5)
        self.assertEqual((done.returncode, "--wait" in done.stderr), (2, True), done.stderr)

    def test_a_status_that_cannot_be_had_is_an_object_too(self):
        for words in (["status"], ["status", "--wait", "--timeout", 1]):
            done = self.lab.run(*words, "-o", "json")
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("there is no lab", done.stderr)
            status = json.loads(done.stdout)
            self.assertEqual((status["doneness"], status["epoch"], status["nodes"]), (0, 0, []))

    def test_other_labels_than_those_of_the_lab_that_is_up(self):
        self.lab.ok("lab", "up", *self.lab.flags, "--nodes", 2, "--label", "n2:rack=7")
        done = self.lab.run("lab", "up", "--label", "n2:rack=8")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("labels n2:rack=7, is up", done.stderr)
        self.assertIn("already up", self.lab.ok("lab", "up"))
        self.lab.ok("lab", "down")
        # The one node that is left has none; that of the other is not asked for any more.
        self.lab.ok("lab", "up", "--nodes", 1)

    def test_a_place_too_deep_for_a_socket(self):
        self.assert_refused(1, "107", "--state", self.lab.folder / ("d" * 80))

    def test_a_port_in_use(self):
        address = self.lab.range.replace(".0/26", ".2")
        for kind, offset in ((socket.SOCK_STREAM, 0), (socket.SOCK_DGRAM, 0), (socket.SOCK_STREAM, 1)):
            with socket.socket(socket.AF_INET, kind) as taken:
                taken.bind((address, self.lab.port + offset))
                if kind == socket.SOCK_STREAM:
                    taken.listen()
                self.assert_refused(1, f"{address}:{self.lab.port + offset}", "--nodes", 3)
                self.assertFalse(self.lab.state.exists(), "it made that folder")
        self.lab.state.mkdir(mode=0o700)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind((address, self.lab.port))
            self.assert_refused(1, f"{address}:{self.lab.port}", "--nodes", 3)
        self.assertTrue(self.lab.state.exists(), "it was there before")

    def test_a_lab_without_its_description_can_still_be_ended(self):
        self.lab.up(1)
        (self.lab.state / "lab.json").unlink()
        done = self.lab.run("lab", "down")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn(f"remove {self.lab.state}", done.stderr)
        self.assertEqual(self.lab.processes(), [])

    def test_a_node_whose_port_is_taken_starts_nothing_until_it_is_free(self):
        self.lab.up(1)
        (node,) = self.lab.json("lab", "status")["nodes"]
        self.lab.ok("lab", "kill", "n1")
        wait_for(lambda: not self.lab.processes(), 30, self.lab.processes)
        said = self.lab.folder / "fulcrum.log"
        with socket.socket() as taken, open(said, "wb") as log:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind((node["address"], self.lab.port))
            taken.listen()
            command = [FULCRUM, "--charter", self.lab.state / "charter.yaml", "--name", "n1",
                       "--address", node["address"], "--state", self.lab.state / "n1"]
            process = subprocess.Popen(command, stderr=log)
            self.addCleanup(process.wait, 60)
            self.addCleanup(process.terminate)
            wait_for(lambda: b"in use" in said.read_bytes(), 30, said.read_bytes)
            self.assertIn(f"TCP {node['address']}:{self.lab.port}: the port is in use; end what has it", said.read_text())
            self.assertEqual(self.lab.processes(), [process.pid])
        wait_for(lambda: ("n1", "reeve1") in self.lab.serving(key="api"), 60, said.read_text)

    def test_a_damaged_lab_can_still_be_ended(self):
        self.lab.up(1)
        description = (self.lab.state / "lab.json").read_text()
        (self.lab.state / "lab.json").write_text(description[:-20])
        for verb in ("status", "down"):
            done = self.lab.run("lab", verb)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("lab.json", done.stderr)
            self.assertIn(f"remove {self.lab.state}", done.stderr)
        self.assertEqual(self.lab.processes(), [])
        (self.lab.state / "lab.json").write_text(description)


class StrangersTest(unittest.TestCase):
    """Nodes that come to a bloc in which there is no place for them."""

    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.down)
        self.lab.up(3)
        self.strangers = []
        self.addCleanup(self.end_strangers)

    def boot(self, name, last):
        state = self.lab.state / f"stranger{last}"
        address = self.lab.range.replace(".0/26", f".{last}")
        with open(self.lab.folder / f"stranger{last}.log", "wb") as log:
            node = subprocess.Popen(
                [FULCRUM, "--charter", self.lab.state / "charter.yaml", "--name", name, "--address", address,
                 "--state", state],
                stderr=log,
            )
        self.strangers.append(node)
        return state, address

    def end_strangers(self):
        for node in self.strangers:
            node.terminate()
            node.wait(30)

    def alarms(self, state):
        log = state / "log" / "flock.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def place(self, count):
        """Has `count` of galumph placed, and returns the nodes on which they serve."""
        path = self.lab.folder / "galumph.yaml"
        text = MANIFEST.replace("name: bad", "name: good").replace("3, here", f"{count}, here")
        path.write_text(text.replace("/bin/true", "galumph2_3"))
        self.lab.json("apply", path)
        serving = lambda: sorted(
            (each["node"], each["net_id"].rsplit(":", 1)[0])
            for each in self.lab.json("services") if each["api"] == "galumph2" and each["status"] == "serving"
        )
        wait_for(lambda: len(serving()) >= count, 60, lambda: f"{count} of galumph, but {serving()}")
        return serving()

    def test_a_node_beyond_at_most_is_told_and_has_no_part(self):
        leader = self.lab.await_leader()
        state, address = self.boot("n4", 4)
        wait_for(lambda: "turned away: 3 other nodes" in self.alarms(state), 60, lambda: self.alarms(state))
        members = wait_for(
            lambda: len(self.lab.json("members")) == 4 and self.lab.json("members"), 30, "four members"
        )
        self.assertEqual({each["state"] for each in members}, {"alive"})
        self.assertEqual(self.lab.await_leader(), leader, self.lab.ok("flock", "events", "--node", leader[0]))
        where = self.place(4)
        self.assertEqual((len(where), {node for node, _ in where}), (4, {"n1", "n2", "n3"}))
        status = self.lab.json("status")
        self.assertEqual(status["nodes"], ["n1", "n2", "n3"])
        self.assertEqual([each["node"] for each in status["unmet"]], [address], "and the operator sees which it is")

    def test_of_two_nodes_with_one_name_nothing_is_placed_on_the_second(self):
        self.lab.ok("lab", "kill", "n3")  # or it would be one node too many
        wait_for(lambda: "dead" in {each["state"] for each in self.lab.json("members")}, 30, "the end of n3")
        first, second = (self.lab.range.replace(".0/26", f".{last}") for last in (1, 2))
        # That n1 runs something is what a new leader, should there be one now, knows the two apart by.
        self.assertEqual(self.place(2), [("n1", first), ("n2", second)])
        self.boot("n1", 4)
        wait_for(
            lambda: "had this name first" in self.alarms(self.lab.state / "n1"), 60,
            lambda: self.alarms(self.lab.state / "n1"),
        )
        self.assertEqual(self.place(4), [("n1", first)] * 2 + [("n2", second)] * 2)


class RunningLabTest(unittest.TestCase):
    """What a running lab is given and must refuse, or ignore."""

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.up(3)

    def setUp(self):
        self.pids = set(self.lab.processes())

    def tearDown(self):
        self.assertEqual(set(self.lab.processes()), self.pids, "nobody died, nobody was started")
        self.assertEqual(self.lab.json("status")["doneness"], 1)

    def assert_refused(self, text, *mentions):
        revision = self.lab.json("status")["revision"]
        path = self.lab.folder / "bad.yaml"
        path.write_text(text)
        done = self.lab.run("apply", path, "--timeout", 5)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(done.stdout, "")
        for mention in mentions:
            self.assertIn(mention, done.stderr)
        self.assertEqual(self.lab.json("status")["revision"], revision)

    def test_a_manifest_with_a_typo(self):
        self.assert_refused(MANIFEST.replace("services:", "servces:"), "bad.yaml:3", "servces", "services")
        self.assert_refused(MANIFEST.replace("    inst:", "    inst_:"), "bad.yaml:6", "inst_")

    def test_a_manifest_with_an_unknown_service(self):
        self.assert_refused(MANIFEST.replace("pick(galumph", "pick(gallumph"), "bad.yaml:10", "gallumph")

    def test_a_bad_khan_expression(self):
        self.assert_refused(MANIFEST.replace("3, here)", "3, here"), "bad.yaml:1")
        self.assert_refused(MANIFEST.replace("3, here)", "3, here &)"), "bad.yaml:10")
        self.assert_refused(MANIFEST.replace("here := ALL", "here := NOWHERE"), "bad.yaml:9", "NOWHERE")

    def test_a_count_that_can_never_be(self):
        self.assert_refused(MANIFEST.replace("3, here)", "1/0, here)"), "bad.yaml:10", "divides by zero")
        self.assert_refused(MANIFEST.replace("3, here)", "1 - 3, here)"), "bad.yaml:10", "below zero")
        self.assert_refused(MANIFEST.replace("3, here)", "1501, here)"), "bad.yaml:10", "500 on each of 3 nodes")
        self.assert_refused(
            MANIFEST.replace("3, here)", "1000000000 * 1000000000 * 1000000000, here)"), "bad.yaml:10", "too large"
        )

    def test_what_no_program_can_be_given(self):
        given = "    file: /bin/true\n"
        self.assert_refused(MANIFEST.replace(given, given + "    env: {'A=B': c}\n"), "bad.yaml:8", "A=B")
        self.assert_refused(MANIFEST.replace(given, given + "    env: {'': c}\n"), "bad.yaml:8", "env")
        self.assert_refused(MANIFEST.replace(given, given + '    args: ["a\\0b"]\n'), "bad.yaml:8", "zero byte")
        self.assert_refused(
            MANIFEST.replace(given, given + f"    args: [{'x' * 7000}]\n"), "bad.yaml:4", "at most 6144"
        )

    def test_a_bad_value(self):
        self.assert_refused(MANIFEST.replace("name: bad", "name: BAD!"), "name")
        self.assert_refused(MANIFEST.replace("name: bad", "name: radix"), "radix")
        self.assert_refused(MANIFEST.replace("inst: galumph2_3", "inst: 'galumph 2'"), "bad.yaml:4", "inst")

    def test_what_cannot_be_met_is_told_to_programs_too(self):
        path = self.lab.folder / "unmet.yaml"
        path.write_text(MANIFEST.replace("here := ALL", "here := LABEL(nowhere)"))
        self.lab.json("apply", path)
        done = self.lab.run("status", "--wait", "--timeout", 1, "-o", "json")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("not done within 1 s", done.stderr)
        status = json.loads(done.stdout)
        self.assertLess(status["doneness"], 1)
        self.assertEqual({each["service"] for each in status["unmet"]}, {"galumph"})
        path.write_text(MANIFEST.replace("3, here)", "0, here)"))
        self.lab.json("apply", path)
        self.lab.ok("status", "--wait")

    def test_a_file_that_is_none(self):
        self.assert_refused(MANIFEST.replace("/bin/true", "/bin/nothing7"), "bad.yaml:4", "/bin/nothing7")
        self.assert_refused(MANIFEST.replace("/bin/true", "sha256:abc"), "bad.yaml:4", "abc")
        text = self.lab.folder / "text"
        text.write_text("no program")
        self.assert_refused(MANIFEST.replace("/bin/true", str(text)), "bad.yaml:4", "neither an ELF executable nor")

    def test_a_manifest_without_an_end(self):
        done = self.lab.run("apply", "/dev/zero", timeout=30)
        self.assertEqual(done.returncode, 1)
        self.assertIn("/dev/zero", done.stderr)

    def test_a_node_whose_name_is_empty_is_not_the_first(self):
        for verb in ("kill", "start"):
            done = self.lab.run("lab", verb, "")
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("there are n1 to n3", done.stderr)

    def test_an_answer_that_cannot_be_printed(self):
        for redirection in (">/dev/full", ">&-", "0<&- >&-"):
            for words in (["members"], ["services", "-o", "json"], ["--help"]):
                done = subprocess.run(
                    ["/bin/sh", "-c", f'"$@" {redirection}', "sh", *self.lab.command(*words)],
                    env=self.lab.environment, stderr=subprocess.PIPE, text=True, timeout=30, check=False,
                )
                self.assertEqual(done.returncode, 1, (redirection, words))
                self.assertIn("could not be written", done.stderr)

    def test_a_current_folder_that_is_gone(self):
        gone = self.lab.folder / "gone"
        for words in ([RADIX, "--state", "lab", "members"], [FULCRUM, "check", "charter"], [FULCRUM, "--charter", "c"]):
            gone.mkdir()
            done = subprocess.run(
                ["/bin/sh", "-c", 'cd "$0" && rmdir "$0" && exec "$@"', gone, *words],
                env=self.lab.environment, capture_output=True, text=True, timeout=30, check=False,
            )
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("No such file or directory", done.stderr)
            self.assertNotIn("terminate", done.stderr)

    def test_a_checksum_that_is_none(self):
        out = self.lab.folder / "out"
        for checksum in ("abc", "sha256:xyz", "md5:" + "0" * 32, "../../etc/passwd"):
            done = self.lab.run("fetch", checksum, "--out", out)
            self.assertEqual(done.returncode, 2)
            self.assertIn(checksum, done.stderr)
            self.assertFalse(out.exists())

    def test_what_cannot_be_put_or_fetched(self):
        for path in ("/nowhere/file", self.lab.folder):
            done = self.lab.run("put", path)
            self.assertEqual(done.returncode, 1)
            self.assertIn(str(path), done.stderr)
        source = self.lab.folder / "file"
        source.write_text("x")
        checksum = self.lab.json("put", source)["checksum"]
        done = self.lab.run("fetch", checksum, "--out", "/nowhere/file")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nowhere", done.stderr)
        pipe = self.lab.folder / "pipe"
        os.mkfifo(pipe)
        done = self.lab.run("fetch", checksum, "--out", pipe)
        self.assertEqual(done.returncode, 1)
        self.assertTrue(pipe.is_fifo(), "a pipe, or /dev/null, is not replaced by a file")

    def test_names_that_are_none(self):
        for name in ("", "a b", "x" * 64, "*"):
            done = self.lab.run("get", name)
            self.assertIn(done.returncode, (1, 2))
            self.assertTrue(done.stderr)
        self.assertEqual(self.lab.run("members", "--node", "n9").returncode, 1)

    def test_datagrams_of_any_length_change_nothing(self):
        before = self.lab.json("members")
        dice = random.Random(7)
        address = (before[0]["address"], self.lab.port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for length in [*range(0, 1300, 7), 1199, 1200, 1201, 1500, 9000, 65507]:
                sender.sendto(dice.randbytes(length), address)
                sender.sendto(bytes(length), address)
        self.assertEqual(self.lab.json("members"), before)

    def test_bytes_that_are_no_grpc_change_nothing(self):
        for path in ("flock", "reeve", "dean", "pastiche"):
            with socket.socket(socket.AF_UNIX) as stream:
                stream.connect(os.fspath(self.lab.state / "n1" / f"{path}.sock"))
                stream.sendall(random.Random(3).randbytes(4096))
        self.lab.json("members")
        self.lab.json("services")


if __name__ == "__main__":
    unittest.main()
