"""Rules: what operators decide holds on every node, whoever leads, and no half of it."""

import json
import subprocess
import unittest

from lab import PROGRAMS, Lab, galumph_manifest, take_down_after, wait_for

NODES = ["n1", "n2", "n3"]
STARTERS = "deploy/rules/default.rules"

RULES = """\
# The front may call the cart.
call shop/front shop/cart2
deny call */* shop/cart2   # nobody else
call shop/* shop/*
serve shop/* shop/*
"""


class RulesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.said = cls.lab.ok("lab", "up", "--nodes", 3, *cls.lab.flags)

    def write(self, text, name="a.rules"):
        path = self.lab.folder / name
        path.write_text(text)
        return path

    def apply(self, text, *flags, node="n1"):
        return self.lab.json("rules", "apply", self.write(text), "--allow-unknown", "--node", node, *flags)

    def version(self, node="n1"):
        return self.lab.json("rules", "show", "--node", node)["version"]

    def await_everywhere(self, text, nodes=NODES):
        """Until every node has it on disk, and its reeve goes by it."""
        count = sum(1 for line in text.splitlines() if line.split("#")[0].strip())
        for node in nodes:
            wait_for(lambda: self.lab.run("rules", "show", "--text", "--node", node).stdout == text, 30, f"{node} has it")
            log = self.lab.state / node / "log" / "reeve.log"
            last = lambda: [line for line in log.read_text().splitlines() if " goes by " in line][-1]
            wait_for(lambda: f"goes by {count} rules of operators" in last(), 30, last)

    def explain(self, caller, destination, *flags, node="n1"):
        done = self.lab.run("rules", "explain", caller, destination, "--node", node, *flags)
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout.strip()

    def test_0_a_new_lab_begins_with_rules_and_says_so(self):
        self.assertIn(f"all may in the horde default: {STARTERS}.\n", self.said)
        rules = self.lab.json("rules", "show")
        self.assertIn("call  default/*  default/*\n", rules["text"])
        self.await_everywhere(rules["text"])
        code, said = self.explain("default/operator", "default/galumph2")
        self.assertEqual(code, 0)
        self.assertRegex(said, r"^default/operator may call default/galumph2: line \d+: call default/\* default/\*$")
        self.assertEqual(self.explain("default/galumph", "default/galumph2", "--serve")[0], 0)
        done = self.lab.run("rules", "check", self.write(rules["text"]))
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_what_was_applied_decides_on_every_node_and_the_rule_is_named(self):
        self.apply("# none\n")
        done = self.lab.run("rules", "apply", self.write(RULES), "--allow-unknown", "--node", "n2")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("+ line 3: deny call */* shop/cart2\n", done.stdout)
        self.assertIn("are kept, as revision ", done.stdout)
        self.await_everywhere(RULES)
        for node in NODES:
            self.assertEqual(self.explain("shop/front", "shop/cart2", node=node),
                             (0, "shop/front may call shop/cart2: line 2: call shop/front shop/cart2"))
            self.assertEqual(self.explain("shop/stock", "shop/cart2", node=node),
                             (1, "shop/stock may not call shop/cart2: line 3: deny call */* shop/cart2"))
        self.assertEqual(self.explain("default/a", "default/b"), (1, "default/a may not call default/b: no rule matches"))
        self.assertEqual(self.explain("shop/a", "shop/b", "--serve"), (0, "shop/a may serve shop/b: line 5: serve shop/* shop/*"))
        self.assertEqual(self.explain("shop/front", "radix/reeve1"),
                         (1, "shop/front may not call radix/reeve1: built in: deny call */* radix/*"))
        verdict = json.loads(self.lab.run("rules", "explain", "shop/stock", "shop/cart2", "-o", "json").stdout)
        self.assertEqual((verdict["allowed"], verdict["verb"], verdict["rule"]["line"]), (False, "call", 3))
        self.assertEqual(verdict["reason"], "line 3: deny call */* shop/cart2")
        shown = self.lab.json("rules", "show")
        self.assertEqual(shown["text"], RULES)
        self.assertEqual([rule["line"] for rule in shown["rules"] if not rule["built_in"]], [2, 3, 4, 5])
        self.assertTrue(shown["rules"][0]["built_in"])
        self.assertFalse(self.apply(RULES)["changed"], "it is so already")

    def test_a_bad_file_changes_nothing_and_its_line_is_named(self):
        self.apply(RULES)
        before = self.lab.json("rules", "show")
        revision = self.lab.json("status")["revision"]
        bad = {
            "call shop/front shop/cart2\ncal shop/front shop/cart2\n": "a.rules: line 2: is not '[deny] call CALLER API'",
            "\ncall front shop/cart2\n": "a.rules: line 2: 'front' is not horde/service",
            "call shop/front shop/ca$h\n": "a.rules: line 1: 'shop/ca$h': the service is not 1 to 63",
            "": "a.rules: is empty",
            "#" * 70_000: "a.rules: is longer than 61440 bytes",
            "call a/b c/d\n" * 2100: "more than 2048 rules",
        }
        for text, mention in bad.items():
            for verb in ("check", "apply"):
                done = self.lab.run("rules", verb, self.write(text))
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertIn(mention, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for path, mention in (("/dev/zero", "is longer than"), ("/nowhere/a", "there is no such file")):
            done = self.lab.run("rules", "apply", path, timeout=30)
            self.assertEqual((done.returncode, mention in done.stderr), (1, True), done.stderr)
        for words in (["explain", "shop", "shop/cart2"], ["explain", "shop/front"], ["apply"], []):
            self.assertEqual(self.lab.run("rules", *words).returncode, 2)
        self.assertEqual(self.lab.json("rules", "show"), before)
        self.assertEqual(self.lab.json("status")["revision"], revision)

    def test_a_service_that_nobody_knows_is_refused_with_its_line(self):
        self.apply(RULES)
        self.await_everywhere(RULES)
        version = self.version()
        text = "call default/galumph default/galumph2\n# see\ncall default/galumph default/galumph7\nserve shap/* */*\n"
        for verb in ("check", "apply"):
            done = self.lab.run("rules", verb, self.write(text))
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("a.rules: line 1: nobody knows the service 'default/galumph': no manifest", done.stderr)
            self.assertIn("a.rules: line 1: nobody knows the api 'default/galumph2': no manifest declares it", done.stderr)
            self.assertIn("a.rules: line 3: nobody knows the api 'default/galumph7'", done.stderr)
            self.assertIn("warning: " + str(self.lab.folder / "a.rules") + ": line 4: 'shap/*' matches no service", done.stderr)
        self.assertEqual(self.version(), version)

        manifest = self.lab.folder / "galumph.yaml"
        manifest.write_text(galumph_manifest(0))
        self.lab.ok("apply", manifest)
        done = self.lab.run("rules", "check", self.write(text), "-o", "json")
        self.assertEqual(done.returncode, 1)
        self.assertEqual([error["line"] for error in json.loads(done.stdout)["errors"]], [3], "a manifest has the others")
        self.lab.ok("rules", "check", self.write("call default/galumph default/galumph2\nserve default/galumph radix/reeve1\n"))
        manifest.write_text(galumph_manifest(0).split("services:")[0] + "services: []\nkhan: ''\n")
        self.lab.ok("apply", manifest)

    def test_what_explain_says_is_what_happens(self):
        allowed = "serve default/galumph default/galumph2\ncall default/operator default/galumph2\n"
        forbidden = "serve default/galumph default/galumph2\n"
        self.apply(allowed)
        self.await_everywhere(allowed)
        manifest = self.lab.folder / "galumph.yaml"
        manifest.write_text(galumph_manifest(3))
        self.lab.ok("apply", manifest)
        self.lab.ok("status", "--wait")

        def call():
            done = subprocess.run([PROGRAMS / "galumph_client", "--state", self.lab.state / "n2", "--threads", "1", "--seconds", "1"],
                                  capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
            counts = json.loads(done.stdout)
            return sum(counts["insts"].values()), " ".join(counts["errors"])

        for text, code in ((allowed, 0), (forbidden, 1), (allowed, 0)):
            self.apply(text)
            self.await_everywhere(text)
            for node in NODES:
                self.assertEqual(self.explain("default/operator", "default/galumph2", node=node)[0], code)
            # A client that begins to call finds out by itself; that it is let in again may take a moment.
            if code == 0:
                wait_for(lambda: call()[0] > 0, 60, call)
            else:
                answered, errors = call()
                self.assertEqual(answered, 0)
                self.assertIn("no rule matches", errors)
        manifest.write_text(galumph_manifest(0))
        self.lab.ok("apply", manifest)

    def test_a_rule_that_never_decides_is_warned_of(self):
        done = self.lab.run("rules", "check", self.write(RULES + "call shop/back shop/cart2\n"), "--allow-unknown", "-o", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn({"line": 6, "message": "never decides: before it comes line 3: deny call */* shop/cart2"},
                      json.loads(done.stdout)["warnings"])

    def test_without_a_lab_only_the_text_is_checked(self):
        path = self.write("call shop/a shop/b\ncall shop/a shop/b\n")
        command = self.lab.command("--state", self.lab.folder / "none", "rules", "check", path)
        for flags, code, mention in (([], 1, "can be read, but"), (["--allow-unknown"], 0, "line 2: never decides")):
            done = subprocess.run([*command, *flags], capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual((done.returncode, mention in done.stderr), (code, True), done.stderr)

    def test_of_two_operators_one_is_told_that_the_world_moved(self):
        self.apply(RULES)
        version = self.version()
        mine, theirs = RULES + "# mine\n", RULES + "call other/* other/*\n"
        self.apply(mine, "--expect", version, node="n2")
        done = self.lab.run("rules", "apply", self.write(theirs), "--allow-unknown", "--expect", version, "--node", "n3")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("the world moved: the rules are version ", done.stderr)
        self.await_everywhere(mine)
        # Those who begin at once have all read the same. Whoever is told has changed nothing.
        version = self.version()
        wishes = {number: self.write(f"{RULES}call shop/a{number} shop/*\n", f"{number}.rules") for number in range(6)}
        runs = {
            number: subprocess.Popen(
                self.lab.command("rules", "apply", path, "--allow-unknown", "--expect", version, "--node", NODES[number % 3]),
                env=self.lab.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for number, path in wishes.items()
        }
        kept = []
        for number, run in runs.items():
            _, errors = run.communicate(timeout=60)
            if run.returncode == 0:
                kept.append(number)
            else:
                self.assertIn("the world moved", errors)
        self.assertEqual(len(kept), 1)
        self.await_everywhere(wishes[kept[0]].read_text())

    def test_what_was_acknowledged_survives_the_leader_and_that_all_nodes_restart(self):
        text = RULES + "# to stay\n"
        revision = self.apply(text)["revision"]
        leader, epoch = self.lab.await_leader()
        self.lab.ok("lab", "kill", leader)
        other = next(node for node in NODES if node != leader)
        wait_for(lambda: self.lab.leader(other, above=epoch), 60, "a leader after it")
        self.await_everywhere(text, [node for node in NODES if node != leader])
        again = self.apply(text + "# more\n", node=other)
        self.assertGreater(again["revision"], revision)
        self.lab.ok("lab", "start", leader)
        self.await_everywhere(text + "# more\n")

        self.lab.ok("lab", "down")
        said = self.lab.ok("lab", "up")
        self.assertNotIn("all may in the horde default", said, "somebody has decided")
        self.await_everywhere(text + "# more\n")

    def test_rules_that_allow_nothing_stay_so_over_a_restart(self):
        nothing = "# nobody\n"
        self.apply(nothing)
        self.lab.ok("lab", "down")
        self.lab.up(3)
        self.await_everywhere(nothing)
        self.assertEqual(self.explain("default/a", "default/b")[0], 1)

    def test_a_node_says_by_which_rules_it_goes_while_nobody_leads(self):
        self.apply(RULES)
        self.await_everywhere(RULES)
        for node in ("n2", "n3"):
            self.lab.ok("lab", "kill", node)
        wait_for(lambda: self.lab.leader("n1") is None, 60, "no leader")
        self.assertEqual(self.explain("shop/front", "shop/cart2")[0], 0)
        done = self.lab.run("rules", "apply", self.write("# none\n"), "--timeout", 1)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("dean of n1", done.stderr)
        self.assertEqual(self.lab.ok("rules", "show", "--text"), RULES)
        for node in ("n2", "n3"):
            self.lab.ok("lab", "start", node)


if __name__ == "__main__":
    unittest.main()
