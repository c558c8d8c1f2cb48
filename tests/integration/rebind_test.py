"""An update under load: galumph2_4 appears beside galumph2_3, which is then stopped; no call fails."""

import json
import signal
import subprocess
import threading
import unittest

from lab import PROGRAMS, Lab, galumph_manifest, take_down_after, wait_for


class RebindTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.up(3)

    def apply(self, inst, count):
        path = self.lab.folder / f"{inst}.yaml"
        # Two manifests, so that either version can be there without the other.
        path.write_text(galumph_manifest(count, inst, name=inst.replace("_", "-")))
        self.lab.ok("apply", path)

    def await_count(self, inst, count):
        wait_for(lambda: len(self.lab.where(inst)) == count, 60, lambda: f"{count}: {self.lab.where(inst)}")

    def await_gone(self, inst):
        """Until it is no longer there, not even draining."""
        wait_for(lambda: all(each["inst"] != inst for each in self.lab.json("services")), 60, f"{inst} gone")

    def start_load(self, *flags):
        return subprocess.Popen(
            [PROGRAMS / "galumph_client", "--state", self.lab.state / "n1", "--threads", "4", *flags],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )

    def end_load(self, load):
        load.send_signal(signal.SIGTERM)
        output, errors = load.communicate(timeout=60)
        self.assertTrue(output, errors)
        return json.loads(output)

    def await_failure(self, load):
        """Until a call of `load` failed: what is withdrawn may go on answering for a moment."""
        limit = threading.Timer(60, load.kill)
        limit.start()
        try:
            self.assertTrue(load.stderr.readline(), "the control run must fail")
        finally:
            limit.cancel()

    def test_no_call_fails_while_a_better_version_appears_and_the_old_one_is_stopped(self):
        self.apply("galumph2_3", 2)
        self.await_count("galumph2_3", 2)
        load = self.start_load()
        # The control: this client stays with 2_3, and must lose calls when that is gone.
        control = self.start_load("--inst", "galumph2_3")
        try:
            self.apply("galumph2_4", 2)
            self.await_count("galumph2_4", 2)
            self.assertEqual(self.lab.json("get", "galumph2")["inst"], "galumph2_4")
            self.apply("galumph2_3", 0)
            self.await_gone("galumph2_3")
            self.await_failure(control)
            counts = self.end_load(load)
            lost = self.end_load(control)
        finally:
            for process in (load, control):
                process.kill()
                process.wait()
        self.assertEqual(counts["failed"], 0, counts)
        self.assertEqual(set(counts["insts"]), {"galumph2_3", "galumph2_4"}, counts)
        self.assertGreater(counts["calls"], 100)
        self.assertGreater(lost["failed"], 0, "the control run must fail")
        self.assertEqual(set(lost["insts"]), {"galumph2_3"})


if __name__ == "__main__":
    unittest.main()
