"""`lab up` that ends before its time: interrupted it undoes what it did; killed, `lab down` does so."""

import signal
import subprocess
import unittest

from lab import Lab, wait_for

NODES = 3
# How many processes run when the signal comes: from the first node, which has written nothing yet, to nearly all.
MOMENTS = (1, 2, 5, 9, 14, 19)


class InterruptTest(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        self.addCleanup(self.lab.down)

    def end_at(self, moment, number):
        """Sends `number` to a `lab up` that has started `moment` processes; returns how it ended, and what it said."""
        up = subprocess.Popen(
            self.lab.command("lab", "up", "--nodes", NODES, *self.lab.flags),
            env=self.lab.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        try:
            wait_for(lambda: len(self.lab.processes()) >= moment, 30, f"{moment} processes")
            up.send_signal(number)
            _, errors = up.communicate(timeout=60)
        finally:
            up.kill()
            up.wait()
        return up.returncode, errors

    def test_an_interrupt_at_any_moment_leaves_nothing_running(self):
        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        for i, moment in enumerate(MOMENTS):
            with self.subTest(moment=moment, signal=signals[i % 3].name):
                code, errors = self.end_at(moment, signals[i % 3])
                self.assertEqual(code, 1)
                self.assertIn("interrupted", errors)
                self.assertEqual(self.lab.processes(), [])

    def test_killed_at_any_moment_the_lab_can_still_be_taken_down(self):
        for moment in MOMENTS:
            with self.subTest(moment=moment):
                self.end_at(moment, signal.SIGKILL)
                # Within the time that nodes take to drain: its own limit, after which it kills, is longer.
                self.lab.ok("lab", "down", timeout=30)
                self.assertEqual(self.lab.processes(), [])

    def test_a_lab_that_is_going_down_is_not_said_to_be_up(self):
        self.lab.up(NODES)
        running = len(self.lab.processes())
        down = subprocess.Popen(self.lab.command("lab", "down"), env=self.lab.environment, stdout=subprocess.DEVNULL)
        try:
            wait_for(lambda: len(self.lab.processes()) < running, 30, "the first that ends")
            down.send_signal(signal.SIGSTOP)
            done = self.lab.run("lab", "up")
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("`lab down` is at work", done.stderr)
        finally:
            down.send_signal(signal.SIGCONT)
            down.wait(60)
        self.assertEqual(self.lab.processes(), [])

    def test_killed_at_any_moment_the_lab_can_be_brought_up_after_all(self):
        self.end_at(MOMENTS[-1], signal.SIGKILL)
        self.assertEqual(len(self.lab.up(NODES)["nodes"]), NODES)


if __name__ == "__main__":
    unittest.main()
