"""Thousands of altered handshakes and requests against one reeve, from who has a key and who has none: nothing dies, and others are served.

    tls_siege_test.py PROGRAMS

RADIX_STRESS=N makes it N times as long. A run is repeated by its seed, RADIX_SEED.
"""

import contextlib
import os
import pathlib
import random
import socket
import ssl
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from lab import Lab, take_down_after  # noqa: E402

KEYS = 64  # with which so much is asked that one alone would be refused
ROUNDS = 4000 * int(os.environ.get("RADIX_STRESS", "1"))
REQUEST_WITHIN_TLS = 4  # after what is said in TLS records
SEED = int(os.environ.get("RADIX_SEED", random.randrange(1 << 32)))

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
# :method POST, :scheme http, :path /x, :authority radix, content-type application/grpc, te trailers; HPACK literals.
HEADERS = b"\x83\x86\x44\x02/x\x41\x05radix\x0f\x10\x10application/grpc\x00\x02te\x08trailers"


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


REQUEST = PREFACE + frame(1, 4, 1, HEADERS) + frame(0, 1, 1, bytes(5)) + frame(3, 0, 1, bytes(4)) + frame(6, 0, 0, bytes(8))


class Mutator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def alter(self, data):
        """Flips, cuts, doubles or fills in; mostly a little."""
        data = bytearray(data)
        for _ in range(self.random.choice((1, 1, 2, 8))):
            where = self.random.randrange(len(data) + 1)
            what = self.random.randrange(5)
            if what == 0 and where < len(data):
                data[where] = self.random.randrange(256)
            elif what == 1 and where < len(data):
                data[where] ^= 1 << self.random.randrange(8)
            elif what == 2:
                del data[where : where + self.random.randrange(1, 40)]
            elif what == 3:
                data[where:where] = data[where : where + self.random.randrange(1, 200)]
            else:
                data[where:where] = self.random.randbytes(self.random.randrange(1, 40))
        return bytes(data)


def attack(address, context, mutator, alter_at):
    """One connection, in which the `alter_at`th thing that is said is altered; only the request within TLS, if there are fewer.

    Things said are the two hellos, what ends the handshake, and the request. Returns whether HTTP/2 answered."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="radix")
    said = 0

    def flush(connection):
        nonlocal said
        data = outgoing.read()
        if data:
            connection.sendall(mutator.alter(data) if said == alter_at else data)
            said += 1

    # Each from a host of its own: one alone would soon not be heard any more.
    source = ".".join(["127", *(str(mutator.random.randrange(1, 255)) for _ in range(3))]), 0
    with socket.create_connection(address, timeout=5, source_address=source) as connection:
        # Who hears half a record waits for the rest, which never comes. What is whole gets its answer, however busy the machine.
        connection.settimeout(0.2 if alter_at < REQUEST_WITHIN_TLS else 5)
        try:
            while True:
                try:
                    client.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    flush(connection)
                    data = connection.recv(1 << 14)
                    if not data:
                        return False
                    incoming.write(data)
            flush(connection)
            client.write(mutator.alter(REQUEST) if alter_at > 1 else REQUEST)
            flush(connection)
            while data := connection.recv(1 << 14):
                incoming.write(data)
                with contextlib.suppress(ssl.SSLWantReadError):
                    return len(client.read()) > 0
        except (ssl.SSLError, OSError):
            pass  # as it should be
    return False


class TlsSiegeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab()
        take_down_after(cls, cls.lab)
        cls.lab.up(1)
        cls.issued = [cls.lab.folder / f"issued-{number}" for number in range(KEYS)]
        for folder in cls.issued:
            cls.lab.ok("keys", "issue", "--for", "reeve", "--out", folder)
        net_id = next(i["net_id"] for i in cls.lab.json("services") if i["api"] == "reeve1")
        host, port = net_id.rsplit(":", 1)
        cls.address = host, int(port)

    def context(self, issued=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        if issued:
            context.load_cert_chain(issued / "cert.pem", issued / "key.pem")
        return context

    def reeve(self):
        found = [pid for pid in self.lab.processes() if b"\0reeve\0" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()]
        self.assertEqual(len(found), 1, found)
        return found[0]

    def resident_mb(self, pid):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024

    def test_altered_handshakes_and_requests_do_no_harm(self):
        print(f"RADIX_SEED={SEED}", flush=True)
        pid, before = self.reeve(), self.resident_mb(self.reeve())
        known, stranger = [self.context(folder) for folder in self.issued], self.context()
        answered, sent_whole = 0, 0  # of what TLS lets through: HTTP/2 has to answer it, if only with its settings
        for number in range(ROUNDS):
            mutator = Mutator(SEED + number)
            context = mutator.random.choice((stranger, known[number % KEYS]))
            alter_at = mutator.random.randrange(REQUEST_WITHIN_TLS + 1)
            http2_answered = attack(self.address, context, mutator, alter_at)
            if alter_at == REQUEST_WITHIN_TLS and context is not stranger:
                answered, sent_whole = answered + http2_answered, sent_whole + 1
            if number % 500 == 0:
                self.lab.ok("services")  # who is honest is served meanwhile
        self.assertEqual(self.reeve(), pid, "reeve died of it")
        self.assertLess(self.resident_mb(pid), before + 100)
        self.assertGreater(sent_whole, ROUNDS // 20)
        self.assertGreater(answered, sent_whole * 0.9, "too few of them got as far as HTTP/2")
        self.assertTrue(attack(self.address, known[0], Mutator(SEED), 99))
        self.lab.ok("services")


if __name__ == "__main__":
    unittest.main()
