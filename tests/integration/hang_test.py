"""A service that hangs is replaced; a node that was stopped as a whole loses none."""

import contextlib
import os
import signal
import time
import unittest

from lab import Lab, take_down_after, wait_for

# Beside those of the leader alone, which end with its lease.
SERVICES = ("flock", "heartbeater", "reeve", "picket", "dean", "pastiche")
SILENCE_LIMIT = 10  # of fulcrum's watchdog, in seconds


class HangTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.up(1)

    def pids(self):
        """The process of each built-in service that runs now."""
        found = {}
        for pid in self.lab.processes():
            try:
                with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
                    service = file.read().split("\0")[1]
                with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                    state = file.read().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            if service in SERVICES and state != "Z":
                found[service] = pid
        return found

    def serving(self):
        return {api for _, api in self.lab.serving(key="api")}

    def test_what_hangs_is_replaced(self):
        before = wait_for(lambda: (p := self.pids()).keys() == set(SERVICES) and p, 30, "all services")
        hung = ("reeve", "pastiche")  # the supervisor's own, and one that runs through picket
        for service in hung:
            os.kill(before[service], signal.SIGSTOP)

        def replaced():
            now = self.pids()
            return all(now.get(service, before[service]) != before[service] for service in hung) and now

        after = wait_for(replaced, 90, self.pids)
        wait_for(lambda: {"reeve1", "pastiche1"} <= self.serving(), 30, self.serving)
        for service in set(SERVICES) - set(hung):
            self.assertEqual(after[service], before[service], service)

    def test_a_node_that_was_stopped_as_a_whole_loses_none(self):
        before = wait_for(lambda: (p := self.pids()).keys() == set(SERVICES) and p, 30, "all services")
        fulcrum = self.lab.json("lab", "status")["nodes"][0]["pid"]
        everything = self.lab.processes()
        for pid in everything:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(SILENCE_LIMIT + 2)  # the very thing that is tested: time that nobody saw
        # The supervisor first: it may look before any of its children could say a word.
        for pid in (fulcrum, *everything):
            # What the leader alone has may have ended by now: its lease ran out.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        wait_for(lambda: {"reeve1", "steward1"} <= self.serving(), 60, self.serving)
        self.assertEqual(self.pids(), before)
        # flock noticed, and says for how long: the first thing to ask when a node misbehaved.
        stalls = [event for event in self.lab.json("flock", "events") if event["kind"] == "stalled"]
        self.assertEqual([event["evidence"] for event in stalls], ["timer-late"], stalls)
        self.assertRegex(stalls[0]["detail"], r"done 1\d{4} ms late")


if __name__ == "__main__":
    unittest.main()
