"""flock_sim as a person or a program runs it: what it refuses, what it prints, and that what it prints can be run again.

    flock_sim_test.py PROGRAMS
"""

import json
import re
import pathlib
import shlex
import subprocess
import sys
import threading
import unittest

PROGRAM = pathlib.Path(sys.argv.pop(1)) / "flock_sim"

# So much is lost that they never agree.
FAILS = "--scenario rack-failure --nodes 12 --count 2 --loss 0.93 --density 0.9 --boot-spread 125.5 --length 0.3 --seed 3"


def run(arguments):
    done = subprocess.run([PROGRAM, *shlex.split(arguments)], capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout, done.stderr


class FlockSimTest(unittest.TestCase):
    def refuses(self, arguments, *words):
        code, out, err = run(arguments)
        self.assertEqual((code, out), (2, ""), f"{arguments}: {err}")
        for word in words:
            self.assertIn(word, err, arguments)

    def test_refuses_numbers_that_are_none_by_the_name_of_their_flag(self):
        for flag in ("--loss", "--density", "--length", "--boot-spread"):
            for value in ("nan", "inf", "-1"):
                self.refuses(f"--scenario idle --nodes 5 {flag} {value}", flag)
        self.refuses("--scenario idle --nodes 5 --length 0", "--length")
        for flag in ("--seed", "--count", "--seeds", "--nodes", "--at-most"):
            self.refuses(f"--scenario rack-failure --nodes 20 {flag} -1", flag)
        for flag in ("--seeds", "--count"):
            self.refuses(f"--scenario rack-failure --nodes 20 {flag} 0", flag)

    def test_a_wrong_name_lists_the_scenarios(self):
        self.refuses("--scenario tea-party", "--scenario", "tea-party", "cold-start", "rack-failure", "swarm")

    def test_refuses_what_a_scenario_has_no_use_for(self):
        self.refuses("--scenario cold-start --nodes 5 --length 3", "--length", "cold-start")
        self.refuses("--scenario islands --nodes 10 --count 3", "--count", "islands")
        self.refuses("--scenario replay --nodes 5 --length 3", "--length", "replay")

    def test_what_is_remembered_of_crypto_changes_nothing(self):
        for scenario in ("swarm", "insider"):
            command = f"--scenario {scenario} --nodes 12 --loss 0.05 --seeds 3 -o json"
            plain, remembered = (json.loads(run(command + flag)[1]) for flag in ("", " --remember-crypto"))
            self.assertEqual([r["trace_hash"] for r in plain], [r["trace_hash"] for r in remembered])

    def test_refuses_crashes_that_leave_no_quorum(self):
        self.refuses("--scenario rack-failure --nodes 40 --count 30", "--count", "quorum")
        self.refuses("--scenario rack-failure --nodes 40 --count 41", "--count")
        self.refuses("--nodes 10 --at-most 20", "--at-most", "quorum")

    def test_refuses_too_few_nodes_and_otherwise_does_not_crash(self):
        scenarios = [line.strip().split(":")[0] for line in run("--help")[1].split("Scenarios:\n")[1].splitlines() if line.startswith("  ")]
        self.assertIn("blocs", scenarios)
        for scenario in scenarios:
            for nodes in range(1, 6):
                length = "" if scenario in ("cold-start", "restarts", "blocs", "replay", "revocations") else "--length 2"
                count = "--count 100" if scenario == "replay" else ""
                code, _, err = run(f"--scenario {scenario} --nodes {nodes} {length} {count}")
                self.assertIn(code, (0, 1, 2), f"{scenario} of {nodes} nodes: {err}")
                if code == 2:
                    self.assertIn("--nodes", err)
        for scenario in ("blocs", "replay"):
            self.refuses(f"--scenario {scenario} --nodes 1", "--nodes", scenario)

    def test_shows_the_defaults(self):
        code, out, _ = run("--help")
        self.assertEqual(code, 0)
        for default in ("cold-start", "100", "0.5", "500", "text"):
            self.assertRegex(out, rf"[=\[]{default}\b")

    def test_what_failed_can_be_run_again_as_printed(self):
        code, out, _ = run(FAILS)
        self.assertEqual(code, 1, out)
        again = out.split("again: flock_sim ")[1].strip()
        for flag in ("--count 2", "--density 0.9", "--boot-spread 125.5", "--length 0.3", "--seed 3"):
            self.assertIn(flag, again)
        trace = json.loads(run(FAILS + " -o json")[1])["trace_hash"]
        second = json.loads(run(again + " -o json")[1])
        self.assertEqual(second["trace_hash"], trace)
        self.assertEqual(second["command"], "flock_sim " + again)

    def test_of_one_seed_there_is_an_object_and_of_several_an_array(self):
        self.assertEqual(json.loads(run("--nodes 5 --seed 2 -o json")[1])["seed"], 2)
        results = json.loads(run("--nodes 5 --seed 2 --seeds 3 -o json")[1])
        self.assertEqual([result["seed"] for result in results], [2, 3, 4])

    def test_each_result_is_there_before_the_next(self):
        for output in ("text", "json"):
            # Each takes long beside the reading of a pipe; of results that are kept back many would come at once.
            command = [PROGRAM, "--nodes", "300", "--seeds", "100000", "-o", output]
            with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as endless:
                too_late = threading.Timer(60, endless.kill)
                too_late.start()
                said = b""
                while b"seed" not in said and (more := endless.stdout.read(1 << 16)):
                    said += more
                too_late.cancel()
                endless.kill()
                self.assertIn(b"seed", said, output)
                self.assertLessEqual(len(re.findall(rb'"?seed"?[ :=]+[0-9]', said)), 2, said)


if __name__ == "__main__":
    unittest.main()
