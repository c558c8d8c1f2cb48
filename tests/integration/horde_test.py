"""Hordes: a node serves in a horde only when admitted, and everything is scoped by it."""

import json
import os
import subprocess
import unittest

from lab import PROGRAMS, Lab, galumph_manifest, take_down_after, wait_for

RULES = """\
call shop/* shop/*
serve shop/* shop/*
call default/* default/*
serve default/* default/*
"""


class HordeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.up(4)
        rules = cls.lab.folder / "shop.rules"
        rules.write_text(RULES)
        cls.lab.ok("rules", "apply", rules, "--allow-unknown")

    def manifest(self, count, name="cart", horde="shop"):
        path = self.lab.folder / f"{name}.yaml"
        text = galumph_manifest(count, name=name).replace("services:", f"horde: {horde}\nservices:", 1)
        path.write_text(text)
        return path

    def refused(self, code, *arguments):
        done = self.lab.run(*arguments)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stderr

    def hordes(self, node="n1"):
        return {each["horde"]: each for each in self.lab.json("horde", "ls", "--node", node)}

    def client(self, node, horde="shop", seconds=None):
        flags = ["--seconds", str(seconds)] if seconds else []
        environment = dict(os.environ, RADIX_HORDE=horde)
        return subprocess.Popen([PROGRAMS / "galumph_client", "--state", self.lab.state / node, "--threads", "2", *flags],
                                env=environment, stdout=subprocess.PIPE, text=True)  # fmt: skip

    def end(self, client, expect_errors=False):
        client.terminate()
        counts = json.loads(client.communicate(timeout=60)[0])
        if not expect_errors:
            self.assertEqual(counts["errors"], {})
        return counts

    def shop(self, *nodes):
        """A horde of these, with one instance of the cart on each."""
        self.lab.ok("horde", "create", "shop")
        self.lab.ok("horde", "admit", "shop", *nodes)
        self.lab.ok("apply", self.manifest("size(ALL)"))
        wait_for(lambda: self.lab.where("galumph2_3") == sorted(nodes), 60, self.lab.logs)

    def tearDown(self):
        path = self.lab.folder / "cart.yaml"
        path.write_text("version: 1\nname: cart\nservices: []\nkhan: ''\n")
        self.lab.ok("apply", path)
        self.lab.ok("horde", "remove", "shop")

    def test_what_there_is_from_the_start(self):
        hordes = self.hordes()
        self.assertEqual(set(hordes), {"radix", "default"})
        for horde in hordes.values():
            self.assertTrue(horde["every_node"])
            self.assertEqual(horde["nodes"], ["n1", "n2", "n3", "n4"])

    def test_what_is_wrong_is_refused_and_says_what_to_do(self):
        self.assertIn("'Shop!' is no horde's name", self.refused(2, "horde", "create", "Shop!"))
        self.assertIn("nobody can change that", self.refused(2, "horde", "create", "radix"))
        self.assertIn("nobody can change that", self.refused(2, "horde", "expel", "radix", "n1"))
        self.assertIn("is there from the start", self.refused(2, "horde", "remove", "default"))
        self.assertIn("no horde is called 'shop'", self.refused(1, "horde", "admit", "shop", "n1"))
        self.assertIn("no horde is called 'shop'", self.refused(1, "horde", "ls", "shop"))
        self.assertIn("no horde is called 'shop'", self.refused(1, "members", "--horde", "shop"))
        self.assertIn("no horde is called 'shop'", self.refused(1, "status", "--horde", "shop"))
        said = self.refused(1, "apply", self.manifest(1))
        self.assertIn("cart.yaml:5: services[0] (galumph).horde: no horde is called 'shop'; `radix horde create shop`", said)
        self.lab.ok("horde", "create", "shop")
        self.assertIn("is there already", self.lab.ok("horde", "create", "shop"))
        self.assertIn("no member is called 'n9'", self.refused(1, "horde", "admit", "shop", "n9"))
        self.assertIn("give nodes, or --all", self.refused(2, "horde", "admit", "shop"))
        self.assertIn("give nodes, or --all", self.refused(2, "horde", "admit", "shop", "n1", "--all"))
        self.assertEqual(self.hordes()["shop"]["nodes"], [], "nothing of all that was done")

    def test_a_horde_has_its_own_nodes_services_and_status(self):
        self.shop("n2", "n3")
        for node in ("n1", "n3"):
            wait_for(lambda node=node: self.hordes(node)["shop"]["services"] == 2, 30, self.lab.logs)
            self.assertEqual(self.hordes(node)["shop"]["nodes"], ["n2", "n3"])
        self.assertEqual([each["node"] for each in self.lab.json("members", "--horde", "shop")], ["n2", "n3"])
        self.assertEqual({each["node"] for each in self.lab.json("services", "--horde", "shop")}, {"n2", "n3"})
        self.assertEqual(self.lab.json("services", "--horde", "default"), [])
        status = self.lab.json("status", "--horde", "shop", "--wait")
        self.assertEqual([each["manifest"] for each in status["services"]], ["cart"])
        self.assertEqual(status["nodes"], ["n2", "n3"])
        self.assertIn("the horde 'shop' is used: by service galumph of manifest cart", self.refused(1, "horde", "remove", "shop"))
        taken = self.refused(1, "apply", self.manifest(1, horde="default"))
        self.assertIn("'cart' is a manifest of the horde 'shop'", taken)

    def test_who_calls_from_a_node_outside_is_not_let_in(self):
        self.shop("n2", "n3")
        inside = self.end(wait_for_end(self.client("n3", seconds=1)))
        self.assertGreater(sum(inside["insts"].values()), 0)
        outside = self.end(wait_for_end(self.client("n1", seconds=1)), expect_errors=True)
        self.assertEqual(sum(outside["insts"].values()), 0)
        self.assertIn("the caller's node is not admitted to the horde 'shop'", " ".join(outside["errors"]))

    def test_a_node_is_expelled_without_a_lost_call(self):
        self.shop("n2", "n3")
        client = self.client("n3")
        self.lab.ok("horde", "admit", "shop", "n4")
        said = self.lab.run("horde", "expel", "shop", "n2")
        self.assertEqual((said.returncode, said.stderr), (0, ""))
        wait_for(lambda: self.lab.where("galumph2_3") == ["n3", "n4"], 60, self.lab.logs)
        counts = self.end(client)
        self.assertGreater(sum(counts["insts"].values()), 100)
        self.assertEqual(self.hordes()["shop"]["nodes"], ["n3", "n4"])

    def test_all_are_expelled_and_nobody_gets_in_by_that(self):
        self.shop("n2", "n3")
        self.lab.ok("apply", self.manifest(2))  # so many are wanted still when there are no nodes for them
        seen = set()
        expel = subprocess.Popen(self.lab.command("horde", "expel", "shop", "--all", "--timeout", "5"),
                                 env=self.lab.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
        while expel.poll() is None:
            seen |= set(self.hordes()["shop"]["leaving"])
        said = expel.communicate()[1]
        self.assertEqual(expel.returncode, 0, said)
        self.assertIn("was still there, and was cut off: ", said)
        self.assertEqual(seen, {"n2", "n3"}, "n1 and n4 were never of it")
        self.assertEqual(self.hordes()["shop"]["nodes"], [])

    def test_who_is_admitted_while_it_is_on_its_way_out_stays(self):
        self.shop("n2", "n3")
        self.lab.ok("apply", self.manifest(2))  # nowhere else to go: the command waits
        expel = subprocess.Popen(self.lab.command("horde", "expel", "shop", "n2", "--timeout", "8"),
                                 env=self.lab.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
        wait_for(lambda: self.hordes()["shop"]["leaving"] == ["n2"], 8, lambda: self.hordes()["shop"])
        self.lab.ok("horde", "admit", "shop", "n2", "--node", "n3")
        said = expel.communicate()[1]
        self.assertEqual(expel.returncode, 1, said)
        self.assertIn("n2 was admitted to 'shop' while it was on its way out", said)
        self.assertEqual(self.hordes()["shop"]["nodes"], ["n2", "n3"])

    def test_who_is_not_there_is_shown_with_its_key(self):
        self.shop("n2", "n3")
        self.lab.ok("horde", "admit", "shop", "0123456789abcdef")
        self.assertEqual(self.hordes()["shop"]["nodes"], ["n2", "n3"])
        self.assertEqual([each["fingerprint"] for each in self.hordes()["shop"]["absent"]], ["0123456789abcdef"])
        self.lab.ok("horde", "expel", "shop", "0123456789abcdef")
        self.assertEqual(self.hordes()["shop"]["absent"], [])
        self.assertIn("an empty text names no node", self.refused(1, "horde", "admit", "shop", ""))
        self.assertIn("begins like an option", self.refused(2, "horde", "create", "--", "-x"))

    def test_what_registers_on_a_node_outside_is_found_by_nobody(self):
        self.shop("n2", "n3")
        log = self.lab.folder / "rogue.log"
        environment = dict(os.environ, RADIX_STATE=str(self.lab.state / "n1"), RADIX_NODE="n1", RADIX_HORDE="shop",
                           RADIX_ADDRESS=self.lab.json("members")[0]["address"], RADIX_FLOCK="lab")  # fmt: skip
        with log.open("w") as out:
            rogue = subprocess.Popen([PROGRAMS / "galumph2_4"], env=environment, stdout=out, stderr=out)
        try:
            wait_for(lambda: "this node is not admitted to the horde 'shop'" in log.read_text(), 30, log.read_text)
            for node in ("n1", "n2"):
                self.assertEqual(self.lab.where("galumph2_4", node), [])
            self.lab.ok("horde", "admit", "shop", "n1")
            wait_for(lambda: self.lab.where("galumph2_4", "n2") == ["n1"], 30, lambda: log.read_text() + self.lab.logs())
            self.lab.ok("horde", "expel", "shop", "n1", "--now")
            wait_for(lambda: self.lab.where("galumph2_4", "n2") == [], 30, self.lab.logs)
        finally:
            rogue.kill()
            rogue.wait()

    def test_hordes_outlive_leaders(self):
        self.shop("n2", "n3")
        leader, epoch = self.lab.await_leader()
        other = next(node for node in ("n1", "n2", "n3", "n4") if node != leader)
        self.lab.ok("lab", "kill", leader)
        wait_for(lambda: self.lab.leader(other, above=epoch), 60, self.lab.logs)
        self.lab.ok("lab", "start", leader)
        wait_for(lambda: self.hordes(leader)["shop"]["nodes"] == ["n2", "n3"], 30, self.lab.logs)
        self.lab.ok("horde", "admit", "shop", "--all", "--node", other)
        wait_for(lambda: self.lab.where("galumph2_3", other) == ["n1", "n2", "n3", "n4"], 60, self.lab.logs)


def wait_for_end(client):
    client.wait(timeout=60)
    return client


if __name__ == "__main__":
    assert (PROGRAMS / "galumph2_3").exists(), f"{PROGRAMS} has no galumph2_3"
    unittest.main(verbosity=2)
