"""Real packets: nodes of one flock with a network namespace each, under loss and partitions."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import time
import unittest

from lab import Lab, take_down_after, wait_for
from namespaces import LIMIT, NetnsLab, links, why_not

NODES = 12
MUTE = """
table ip mute {
  chain out {
    type filter hook output priority 0
    drop
  }
}
"""


def state_of(pid):
    """A letter, as in ps; empty when there is no such process."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def stopped_child(pid):
    """Stops a tool that a process runs, in the middle of its work; None when it had none at this moment."""
    try:
        for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            if pathlib.Path(f"/proc/{child}/comm").read_text() not in ("ip\n", "nft\n"):
                continue  # it is only about to become that
            os.kill(int(child), signal.SIGSTOP)
            if state_of(int(child)) not in "Z":
                return int(child)
    except (FileNotFoundError, ProcessLookupError):
        pass
    return None


def counted(lab):
    """(datagrams that reached the hub, datagrams that it lost on purpose)."""
    rules = json.loads(lab.enter("hub", "nft", "-j", "list", "table", "ip", "radix"))["nftables"]
    counters = {each["counter"]["name"]: each["counter"]["packets"] for each in rules if "counter" in each}
    return counters["seen"], counters["lost"]


@unittest.skipIf(why_not(), why_not())
class NetnsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = NetnsLab(NODES)
        take_down_after(cls, cls.lab)
        cls.lab.up(NODES)
        # At once: what `lab up` waited for is there when it returns.
        cls.agreed = cls.lab.agreed(cls.lab.names)

    def setUp(self):
        self.addCleanup(self.lab.run, "lab", "heal")

    def test_power_up_makes_one_flock_with_one_sealed_leader(self):
        self.assertIsNotNone(self.agreed)

    def test_every_node_is_alone_in_its_network_and_serves_nobody_in_it(self):
        status = self.lab.json("lab", "status")
        self.assertEqual(len(self.lab.processes()), 2 * NODES, "a supervisor and flock on each")
        spaces = {os.readlink(f"/proc/{node['pid']}/ns/net") for node in status["nodes"]}
        self.assertEqual(len(spaces), NODES)
        self.assertNotIn(os.readlink("/proc/self/ns/net"), spaces)
        for node in status["nodes"]:
            self.assertEqual(len(pathlib.Path(f"/proc/{node['pid']}/net/tcp").read_text().splitlines()), 1)
            self.assertIn(f":{self.lab.port:04X} ", pathlib.Path(f"/proc/{node['pid']}/net/udp").read_text())

    def test_a_killed_node_is_missed_and_comes_back(self):
        leader, _ = self.lab.await_agreement(self.lab.names)
        victim = next(name for name in self.lab.names if name != leader)
        others = [name for name in self.lab.names if name != victim]
        self.lab.ok("lab", "kill", victim)
        self.addCleanup(self.lab.run, "lab", "start", victim)
        self.lab.await_agreement(others)
        wait_for(
            lambda: victim in {event["node"] for event in self.lab.events(leader, "died")},
            LIMIT, f"{leader} to say that {victim} died",
        )  # fmt: skip
        self.lab.ok("lab", "start", victim)
        self.lab.await_agreement(self.lab.names)

    def test_only_the_majority_has_a_leader_and_never_are_there_two(self):
        old, epoch = self.lab.await_agreement(self.lab.names)
        # The minority takes the leader with it: the majority has to find another one.
        minority = [old, *[name for name in self.lab.names if name != old][: NODES // 2 - 2]]
        majority = [name for name in self.lab.names if name not in minority]
        self.lab.ok("lab", "cut", *minority)
        alone = {(self.lab.addresses(minority), None, 0)}
        wait_for(lambda: self.lab.views(minority) == alone, LIMIT, lambda: f"no leader: {self.lab.views(minority)}")
        new, newer = self.lab.await_agreement(majority, above=epoch)
        self.assertIn(new, majority)
        self.assertEqual(self.lab.views(minority), alone, "while the others have one")

        self.lab.ok("lab", "heal")
        self.assertGreaterEqual(self.lab.await_agreement(self.lab.names)[1], newer)
        reigns = self.lab.reigns()
        self.assertLessEqual({old, new}, {name for _, _, name in reigns})
        for (_, end, one), (begin, _, other) in zip(reigns, reigns[1:]):
            self.assertLessEqual(end, begin, f"{one} and {other} were sealed at once: {reigns}")

    def test_a_firewall_of_its_own_is_loss_to_a_node_and_not_its_end(self):
        leader, _ = self.lab.await_agreement(self.lab.names)
        victim = next(name for name in self.lab.names if name != leader)
        pids = self.lab.processes()
        # sendto(2) says EPERM then.
        self.lab.enter(victim, "nft", "-f", "-", text=MUTE)
        self.lab.await_agreement([name for name in self.lab.names if name != victim])
        self.lab.enter(victim, "nft", "delete", "table", "ip", "mute")
        self.lab.await_agreement(self.lab.names)
        self.assertEqual(sorted(self.lab.processes()), sorted(pids))


class LoopbackTest(unittest.TestCase):
    def test_nodes_that_run_nothing_but_flock_need_no_root(self):
        lab = Lab()
        self.addCleanup(lab.down)
        lab.ok("lab", "up", "--nodes", 3, "--services", "none", *lab.flags)
        self.assertEqual(len(lab.processes()), 6)
        leader, _ = lab.await_leader()
        lab.ok("lab", "kill", leader)
        other = next(name for name in ("n1", "n2") if name != leader)
        wait_for(lambda: (lab.leader(other) or (leader,))[0] != leader, LIMIT, "another leader")
        lab.ok("lab", "start", leader)
        refused = lab.run("lab", "cut", "n1")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("--netns", refused.stderr)


@unittest.skipIf(why_not(), why_not())
class LossTest(unittest.TestCase):
    def test_power_up_makes_one_flock_although_every_fifth_datagram_is_lost(self):
        lab = NetnsLab(NODES)
        self.addCleanup(lab.down)
        lab.ok("lab", "up", "--nodes", NODES, "--loss", 20, *lab.flags)
        lab.await_agreement(lab.names)
        seen, lost = counted(lab)
        self.assertGreater(seen, 1000)
        self.assertTrue(0.1 < lost / seen < 0.3, f"{lost} of {seen} datagrams")


@unittest.skipIf(why_not(), why_not())
class EndTest(unittest.TestCase):
    def setUp(self):
        self.lab = NetnsLab(NODES)
        self.addCleanup(self.lab.down)

    def begin(self, nodes=NODES):
        return subprocess.Popen(
            self.lab.command("lab", "up", "--nodes", nodes, *self.lab.flags),
            env=self.lab.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )

    def end_at(self, number, moment):
        """Sends a signal to `lab up` as soon as `moment` says so."""
        up = self.begin()
        try:
            wait_for(moment, 30, "the moment")
            up.send_signal(number)
            return up.wait(60)
        finally:
            up.kill()
            up.wait()

    def moments(self):
        return (
            lambda: len(self.lab.namespaces()) > NODES // 2,
            lambda: len(self.lab.namespaces()) > NODES,
            lambda: len(self.lab.processes()) >= NODES // 2,
        )

    def nothing_left(self):
        self.assertEqual(self.lab.processes(), [])
        self.assertEqual(self.lab.namespaces() | (links() - self.lab.links), set())

    def test_an_interrupt_leaves_nothing(self):
        for moment in self.moments():
            self.assertEqual(self.end_at(signal.SIGINT, moment), 1)
            self.nothing_left()

    def test_a_lab_whose_owner_was_killed_is_cleaned_by_lab_down(self):
        for moment in self.moments():
            self.end_at(signal.SIGKILL, moment)
            self.lab.ok("lab", "down")
            self.nothing_left()

    # `ip` was given all of them at once, and would go on.
    def test_what_makes_the_network_dies_with_the_lab_up_that_started_it(self):
        up = self.begin()
        end = time.monotonic() + LIMIT
        while not (tool := stopped_child(up.pid)):  # each lives for milliseconds: no time to sleep
            self.assertLess(time.monotonic(), end, "no tool was seen at work")
        up.kill()
        up.wait()
        try:
            wait_for(lambda: state_of(tool) in "Z", LIMIT, f"the end of {tool}")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(tool, signal.SIGKILL)
        self.lab.ok("lab", "down")
        self.nothing_left()

    def test_a_lab_without_its_lab_json_is_cleaned_by_lab_down(self):
        self.lab.up(NODES)
        (self.lab.state / "lab.json").unlink()
        done = self.lab.run("lab", "down")
        self.assertEqual(done.returncode, 1)
        self.assertIn("damaged or gone", done.stderr)
        self.nothing_left()


if __name__ == "__main__":
    unittest.main()
