"""A lab that was powered up in a terminal outlives it, and is one load with what else runs in its session."""

import os
import pty
import unittest

from lab import RADIX, Lab, take_down_after


class TerminalTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        command = cls.lab.command("lab", "up", "--nodes", 2, *cls.lab.flags)
        # The child leads a session that has this terminal. The lab's nodes are of that session, and stay when their
        # elder is gone and the terminal hangs up.
        cls.session, terminal = pty.fork()
        if cls.session == 0:
            os.execve(RADIX, command, cls.lab.environment)
        cls.output = b""
        try:
            while chunk := os.read(terminal, 4096):
                cls.output += chunk
        except OSError:  # Linux's word for the end of a terminal whose other side is closed
            pass
        _, cls.exit_status = os.waitpid(cls.session, 0)
        os.close(terminal)

    def pids(self):
        return {each["node"]: each["pid"] for each in self.lab.json("lab", "status")["nodes"] if each["running"]}

    def test_the_nodes_outlive_the_terminal(self):
        self.assertEqual(self.exit_status, 0, self.output)
        self.assertEqual(set(self.pids()), {"n1", "n2"})

    def test_the_nodes_are_of_the_session_that_started_them_each_in_a_process_group_of_its_own(self):
        for node, pid in self.pids().items():
            self.assertEqual((os.getsid(pid), os.getpgid(pid)), (self.session, pid), node)


if __name__ == "__main__":
    unittest.main()
