"""A server and an honest client of it, each a process of its own."""

import contextlib
import os
import pathlib
import resource
import shutil
import subprocess
import tempfile
import threading
import time


class Target:
    """`memory_max` in bytes: as fulcrum limits its services. `processor`: the only one on which it all runs.

    `anew`: the client comes over another connection for each call."""

    def __init__(self, programs, *flags, memory_max=None, processor=None, anew=False):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="radix-hostile-"))
        self.program = programs / "hostile_target"
        self.processor = processor
        self.samples = []  # (when, calls that ended well, calls that failed)
        self.errors = (self.folder / "errors").open("w")
        self.log_file = self.folder / "log"

        def limit():
            if memory_max is not None:
                resource.setrlimit(resource.RLIMIT_DATA, (memory_max, memory_max))
                resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 1 << 20))
            self.settle()

        with self.log_file.open("w") as log:
            self.server = subprocess.Popen([self.program, "serve", self.folder, *flags], stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, stderr=log, text=True, preexec_fn=limit)  # fmt: skip
        net_id = self.server.stdout.readline().strip()
        host, port = net_id.rsplit(":", 1)
        self.address = host, int(port)
        self.client = subprocess.Popen([self.program, "load", self.folder, net_id, *["anew"] * anew], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=self.errors, text=True, preexec_fn=self.settle)  # fmt: skip
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def settle(self):
        if self.processor is not None:
            os.sched_setaffinity(0, {self.processor})

    def read(self):
        for line in self.client.stdout:
            well, failed = line.split()
            self.samples.append((time.monotonic(), int(well), int(failed)))

    def key(self, number):
        return self.folder / f"listed-{number}.pem"

    @property
    def strangers_key(self):
        return self.folder / "unlisted.pem"

    def log(self):
        return self.log_file.read_text(errors="replace")

    def well(self):
        return self.samples[-1][1] if self.samples else 0

    def failed(self):
        return self.samples[-1][2] if self.samples else 0

    def rate(self, begin, end):
        """Calls a second that ended well between those times; 0 where the client stood still."""
        inside = [sample for sample in self.samples if begin <= sample[0] <= end]
        if len(inside) < 2:
            return 0
        return (inside[-1][1] - inside[0][1]) / (inside[-1][0] - inside[0][0])

    def most_megabytes(self):
        """The most memory that the server had so far; None when it has ended."""
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{self.server.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM"):
                    return int(line.split()[1]) / 1024
        return None

    def close(self):
        for process in (self.client, self.server):
            process.kill()
            process.wait()
            process.stdin.close()
        self.reader.join()
        self.client.stdout.close()
        self.server.stdout.close()
        self.errors.close()
        shutil.rmtree(self.folder)
