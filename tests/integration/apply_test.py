"""Manifests: what was acknowledged is done, whoever leads."""

import unittest

from lab import PROGRAMS, Lab, galumph_manifest, take_down_after, wait_for


class ApplyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.json("lab", "up", "--nodes", 5, *cls.lab.flags, "--label", "n2:rack=7", "--label", "n4:rack=7")

    def apply(self, count, nodes="ALL"):
        path = self.lab.folder / "galumph.yaml"
        path.write_text(galumph_manifest(count, nodes=nodes))
        return self.lab.json("apply", path)

    def placed(self, node="n1"):
        return self.lab.where("galumph2_3", node)

    def await_count(self, count, asked):
        wait_for(lambda: len(self.placed(asked)) == count, 60, lambda: f"{count} serve: {self.placed(asked)}")
        status = self.lab.json("status", "--wait", "--node", asked)
        self.assertEqual(status["doneness"], 1)
        return self.placed(asked)

    def kill_the_leader(self):
        leader, epoch = self.lab.await_leader()
        self.lab.ok("lab", "kill", leader)
        return leader, epoch

    def revive(self, node):
        """Starts it; returns once it counts for the leader, so that the next test has all five to place on."""
        self.lab.ok("lab", "start", node)
        asked = self.asked_beside(node)
        wait_for(
            lambda: node in (self.lab.try_json("status", "--node", asked) or {"nodes": []})["nodes"], 60,
            f"{node} among the nodes that count",
        )

    def asked_beside(self, node):
        return "n1" if node != "n1" else "n2"

    def test_three_then_five_then_none_with_the_leader_killed_after_an_acknowledged_apply(self):
        kept = self.apply(3)
        self.assertEqual(list(kept), ["manifest", "epoch", "revision"])
        three = self.await_count(3, "n1")
        self.assertEqual(len(set(three)), 3)

        # Acknowledged means kept: the leader dies at once, its successor does it all the same.
        self.apply(5)
        leader, _ = self.kill_the_leader()
        asked = self.asked_beside(leader)
        wait_for(lambda: leader not in self.placed(asked), 60, f"{leader} forgotten")
        self.await_count(5, asked)  # of four nodes, one runs two
        self.assertNotIn(leader, self.placed(asked))
        self.revive(leader)

        self.apply(0)
        leader, _ = self.kill_the_leader()
        self.await_count(0, self.asked_beside(leader))
        self.revive(leader)

    def test_present_placement_is_preferred(self):
        self.apply(2)
        two = self.await_count(2, "n1")
        self.apply(4)
        four = self.await_count(4, "n1")
        self.assertLessEqual(set(two), set(four))
        self.apply(0)
        self.await_count(0, "n1")

    def test_labels_and_set_operators_say_where(self):
        self.apply(2, "LABEL(rack=7)")
        self.assertEqual(self.await_count(2, "n1"), ["n2", "n4"])
        self.apply(3, "ALL & !LABEL(rack=7)")
        self.assertEqual(
            wait_for(lambda: self.placed() == ["n1", "n3", "n5"] and self.placed(), 60, self.placed),
            ["n1", "n3", "n5"],
        )
        self.apply(0)
        self.await_count(0, "n1")

    def test_the_example_logs_as_every_service_does(self):
        self.apply(1)
        (where,) = self.await_count(1, "n1")
        logs = "".join(log.read_text() for log in self.lab.state.glob(f"{where}/log/galumph.*.log"))
        self.assertRegex(
            logs,
            r"(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d galumph2_3\[\d+\] info: galumph2_3 serves at 127\.",
        )
        self.apply(0)
        self.await_count(0, "n1")

    def test_a_service_that_is_killed_comes_back(self):
        self.apply(1)
        (where,) = self.await_count(1, "n1")
        before = next(e for e in self.lab.json("services") if e["inst"] == "galumph2_3")["net_id"]
        self.lab.ok("lab", "kill", where)
        asked = self.asked_beside(where)
        wait_for(
            lambda: any(
                each["inst"] == "galumph2_3" and each["status"] == "serving" and each["net_id"] != before
                for each in self.lab.try_json("services", "--node", asked) or []
            ),
            60,
            "galumph elsewhere",
        )
        self.revive(where)
        self.apply(0)
        self.await_count(0, "n1")

    def test_a_program_that_registers_otherwise_than_its_manifest_says_is_found_out(self):
        path = self.lab.folder / "galumph.yaml"
        path.write_text(galumph_manifest(1, nodes="LABEL(rack=7)", file="galumph2_4"))
        self.lab.json("apply", path)
        reasons = lambda: [e["reason"] for e in (self.lab.try_json("status") or {"unmet": []})["unmet"]]
        wait_for(
            lambda: reasons() == ["registers galumph2_4, the manifest says galumph2_3"], 60, lambda: str(reasons())
        )
        self.apply(0)
        self.await_count(0, "n1")

    def test_a_script_that_becomes_the_service_is_run(self):
        script = self.lab.folder / "galumph.sh"
        script.write_text(f"#!/bin/sh\nexec {PROGRAMS / 'galumph2_3'}\n")
        path = self.lab.folder / "galumph.yaml"
        path.write_text(galumph_manifest(2, file=script))
        self.lab.json("apply", path)
        self.await_count(2, "n1")
        self.apply(0)
        self.await_count(0, "n1")


if __name__ == "__main__":
    assert (PROGRAMS / "galumph2_3").exists(), f"{PROGRAMS} has no galumph2_3"
    unittest.main()
