"""What is promised of trust beside what is measured. Prints one line each; exit status 1 when a promise is not kept.

    bench_trust.py PROGRAMS        (ROUNDS of one second, default 7; TRIALS of revocation, default 200; RUNS of each hostile peer, default 3;
                                    PAIRS of caller and endpoint, default 20; with KEEP=1 the figures are kept in results/trust.json)
"""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import threading
import time

from bench import beside, keep, missed, show
from bench_hostile import hostile_peers
from lab import PROGRAMS, Lab, galumph_manifest, wait_for

ROUNDS = int(os.environ.get("ROUNDS", "7"))
TRIALS = int(os.environ.get("TRIALS", "200"))
PAIRS = int(os.environ.get("PAIRS", "20"))
NODES = int(os.environ.get("NODES", "30"))
AFTERWARDS = 2


def calls():
    done = subprocess.run([PROGRAMS / "trust_bench", str(ROUNDS)], stdout=subprocess.PIPE, text=True, check=True)
    rounds = json.loads(done.stdout)
    lost = [100 - 100 * tls / plain for tls, plain in zip(rounds["tls_rate"], rounds["plain_rate"], strict=True)]
    show("calls a second lost to TLS and check, 64 outstanding", 25, lost, "%")
    beside("calls a second in plaintext, median", statistics.median(rounds["plain_rate"]), "")
    more = [tls - plain for tls, plain in zip(rounds["tls_p50_us"], rounds["plain_p50_us"], strict=True)]
    show("longer at p50, one outstanding", 40, more, "us")
    beside("in plaintext, median", statistics.median(rounds["plain_p50_us"]), "us")


class Caller:
    """Calls reeves one after another with one key, from a thread, until it is told to stop."""

    def __init__(self, grpc, files, addresses):
        credentials = grpc.ssl_channel_credentials(*files)
        self.last = {}  # when each was called with success
        self.failing = set()
        self.ready = threading.Event()
        self.stop = threading.Event()
        self.channels = {
            address: grpc.secure_channel(address, credentials, [("grpc.ssl_target_name_override", "radix")]) for address in addresses
        }
        self.thread = threading.Thread(target=self.run, args=(grpc,))
        self.thread.start()

    def run(self, grpc):
        stubs = {address: channel.unary_unary("/radix.reeve.v1.ReeveService/GetState") for address, channel in self.channels.items()}
        while not self.stop.is_set():
            for address, stub in stubs.items():
                try:
                    stub(b"", timeout=2)
                    self.last[address] = time.monotonic()
                    self.failing.discard(address)
                except grpc.RpcError:
                    self.failing.add(address)
            if len(self.last) == len(stubs):
                self.ready.set()

    def close(self):
        self.stop.set()
        self.thread.join()
        for channel in self.channels.values():
            channel.close()


def issue(lab, node, number):
    folder = lab.folder / f"issued-{node}-{number}"
    key = json.loads(lab.ok("keys", "issue", "--for", "reeve", "--out", folder, "--node", node, "-o", "json"))["key"]
    files = [(folder / f"{name}.pem").read_bytes() for name in ("ca", "key", "cert")]
    shutil.rmtree(folder)
    return key, files


class Load:
    """Applications on a few nodes that call one another for as long as they are let: nothing is idle while keys are revoked."""

    NODES = ("n2", "n3", "n4")

    def __init__(self, lab):
        manifest = lab.folder / "load.yaml"
        manifest.write_text(galumph_manifest(3))
        lab.ok("apply", manifest)
        wait_for(lambda: len(lab.where("galumph2_3")) == 3, 60, lab.logs)
        self.begin = time.monotonic()
        self.clients = [
            subprocess.Popen([PROGRAMS / "galumph_client", "--state", lab.state / node, "--threads", "1"], stdout=subprocess.PIPE, text=True)
            for node in self.NODES
        ]

    def end(self):
        """Calls a second that were answered."""
        seconds = time.monotonic() - self.begin
        for client in self.clients:
            client.terminate()
        return sum(sum(json.loads(client.communicate(timeout=60)[0])["insts"].values()) for client in self.clients) / seconds


def revocations(grpc):
    """Each trial: every node is called, over and over, with a key for it that the same revocation is about; how long one still succeeds."""
    lab = Lab()
    lab.up(NODES)
    try:
        reeves = {i["node"]: i["net_id"] for i in lab.json("services") if i["api"] == "reeve1"}
        load = Load(lab)
        authorities = b"".join(issue(lab, node, "authority")[1][0] for node in reeves)
        seconds = []
        for trial in range(TRIALS):
            key, (_, private, chain) = issue(lab, "n1", trial)
            caller = Caller(grpc, (authorities, private, chain), list(reeves.values()))
            if not caller.ready.wait(60):
                raise AssertionError("not every node let the key in")
            begin = time.monotonic()
            lab.ok("keys", "revoke", key, "--node", f"n{1 + trial % NODES}")
            time.sleep(AFTERWARDS)  # in which any of them could still succeed
            caller.close()
            if len(caller.failing) < NODES:
                raise AssertionError(f"some nodes let it in after {AFTERWARDS} s: {set(caller.channels) - caller.failing}")
            seconds.append(max(0, max(caller.last.values()) - begin))
        show(f"revoke to the last call that succeeds, {NODES} nodes, {TRIALS} trials", 1, seconds, "s", of=max)
        beside("the same, median", statistics.median(seconds), "s")
        beside("calls a second of applications meanwhile", load.end(), "")
    finally:
        lab.down()


def pairs():
    """From a client that knows nothing, on another node, to its first answer: it asks reeve, has a key introduced, and connects."""
    lab = Lab()
    lab.ok("lab", "up", "--nodes", 3, "--label", "n1:KV", *lab.flags)
    try:
        manifest = lab.folder / "galumph.yaml"
        manifest.write_text(galumph_manifest(1, nodes="LABEL(KV)"))
        lab.ok("apply", manifest)
        wait_for(lambda: lab.where("galumph2_3", "n2") == ["n1"], 60, lab.logs)
        taken = []
        for run in range(PAIRS):
            done = subprocess.run([PROGRAMS / "galumph_client", "--state", lab.state / ("n2", "n3")[run % 2], "--threads", "1", "--seconds", "1"],
                                  stdout=subprocess.PIPE, text=True, check=True)  # fmt: skip
            taken.append(json.loads(done.stdout)["first_ms"])
        show(f"a new pair of caller and endpoint is usable, {PAIRS} pairs", 100, taken, "ms", of=max)
        beside("the same, median", statistics.median(taken), "ms")
    finally:
        lab.down()


def siege():
    """A third of 12,000 altered handshakes and requests is what the test takes by itself."""
    script = pathlib.Path(__file__).resolve().parents[1] / "interop" / "tls_siege_test.py"
    done = subprocess.run([sys.executable, "-B", script, PROGRAMS], env=dict(os.environ, RADIX_STRESS="3"), check=False)
    show("12,000 altered handshakes and requests: did harm", 0, [done.returncode], "")


def main():
    calls()
    pairs()
    siege()
    hostile_peers()
    try:
        import grpc
    except ImportError:
        print("revocation: skipped: there is no grpcio for Python; the package is python3-grpcio")
    else:
        revocations(grpc)
    if os.environ.get("KEEP"):
        keep("trust")
    if missed:
        print("missed: " + ", ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
