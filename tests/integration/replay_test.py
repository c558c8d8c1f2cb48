"""Datagrams that were captured from a flock of real nodes, sent again: as they were, altered, and to others."""

import random
import socket
import struct
import threading
import unittest

from lab import take_down_after, wait_for
from namespaces import LIMIT, NetnsLab, inside, why_not

NODES = 8
SEED = 20261122
BATCH = 1000  # sent before it is looked whether all have come: their queues hold that
ETH_P_IP = 0x0800
PACKET_HOST = 0
UDP_HEADER = 8
HELLO_TYPE = 1
TYPE_AT = 3  # of flock's header: services/flock/packet_codec.h
# What flock may note meanwhile for other reasons: a machine that stands still for a while, and the key's own clock.
HARMLESS = {"suspected", "refuted", "stalled", "key-changed"}


class Captured:
    """An IPv4 packet that carries one datagram."""

    def __init__(self, packet):
        start = (packet[0] & 0x0F) * 4
        self.source, self.destination = packet[12:16], packet[16:20]
        self.ports, self.payload = packet[start : start + 4], packet[start + UDP_HEADER :]

    @property
    def is_hello(self):
        return self.payload[TYPE_AT] == HELLO_TYPE

    def packet(self, payload, destination):
        """The packet with other contents, without UDP's checksum: that is for networks, and does not stop an attacker."""
        udp = self.ports + struct.pack("!HH", UDP_HEADER + len(payload), 0)
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, socket.IPPROTO_UDP, 0, self.source, destination)
        return ip + udp + payload  # the kernel fills in IP's length and checksum


class Capture:
    """Takes down what reaches the hub for `port`, which is all that nodes send to each other."""

    def __init__(self, space, port):
        self.port = port
        self.captured = []
        with inside(space):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self.socket.settimeout(0.1)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopped.is_set():
            try:
                packet, (_, _, kind, *_) = self.socket.recvfrom(65536)
            except TimeoutError:
                continue
            # What the hub passes on is there a second time, as its own.
            if kind == PACKET_HOST and packet[9] == socket.IPPROTO_UDP:
                one = Captured(packet)
                if one.ports[2:] == struct.pack("!H", self.port):
                    self.captured.append(one)

    def stop(self):
        self.stopped.set()
        self.thread.join()
        self.socket.close()
        return self.captured


def altered(payload, choice):
    """With one to three bytes changed, and sometimes cut."""
    payload = bytearray(payload)
    if choice.random() < 0.2:
        del payload[choice.randrange(1, len(payload)) :]
    # Of different places: a byte that is changed twice might be as it was.
    for at in choice.sample(range(len(payload)), min(len(payload), choice.randint(1, 3))):
        payload[at] ^= choice.randint(1, 255)
    return bytes(payload)


@unittest.skipIf(why_not(), why_not())
class ReplayTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = NetnsLab(NODES)
        take_down_after(cls, cls.lab)
        cls.lab.up(NODES)

    def capture(self):
        """All that is sent while a node dies and comes back as another boot, and some time more."""
        names = self.lab.names
        leader, _ = self.lab.await_agreement(names)
        capture = Capture(self.lab.space("hub"), self.lab.port)
        try:
            victim = next(name for name in names if name != leader)
            self.lab.ok("lab", "kill", victim)
            self.lab.await_agreement([name for name in names if name != victim])
            self.lab.ok("lab", "start", victim)
            self.lab.await_agreement(names)
            wait_for(lambda: len(capture.captured) > 2000, LIMIT, lambda: f"only {len(capture.captured)} datagrams")
        finally:
            captured = capture.stop()
        return captured

    def counters(self, name):
        return self.lab.json("flock", "counters", "--node", name)

    def state(self, name):
        """What nothing but a datagram could change at a node."""
        alive, _, _ = self.lab.view(name)
        keys = self.lab.json("keys", "status", "--node", name)
        return alive, keys["current"], keys["previous"], keys["next"]

    def send(self, packets):
        """Sends packets in batches; each is waited for until every node has received its part."""
        with inside(self.lab.space("hub")), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            for begin in range(0, len(packets), BATCH):
                before = {name: self.counters(name)["received"] for name in self.lab.names}
                sent = dict.fromkeys(self.lab.names, 0)
                for packet in packets[begin : begin + BATCH]:
                    raw.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))
                    sent[self.name_of(packet[16:20])] += 1
                for name, count in sent.items():
                    wait_for(
                        lambda name=name, count=count: self.counters(name)["received"] >= before[name] + count,
                        LIMIT, f"{name} to receive {count} datagrams",
                    )  # fmt: skip

    def name_of(self, address):
        return f"n{address[3]}"

    def test_what_was_captured_changes_nothing_when_it_is_sent_again(self):
        addresses = [socket.inet_aton(address) for address in sorted(self.lab.addresses(self.lab.names))]
        # Nobody is behind the others, which were tried blindly.
        captured = [one for one in self.capture() if one.destination in addresses]
        self.assertEqual({one.destination for one in captured}, set(addresses))
        choice = random.Random(SEED)
        packets = []
        to_drop = dict.fromkeys(self.lab.names, 0)
        for one in captured:
            elsewhere = choice.choice([each for each in addresses if each not in (one.source, one.destination)])
            packets += [
                one.packet(one.payload, one.destination),
                one.packet(altered(one.payload, choice), one.destination),
                one.packet(one.payload, elsewhere),
            ]
            # A stranger's first word is answered whenever it comes, with no more than it is itself.
            to_drop[self.name_of(one.destination)] += 1 + (not one.is_hello)
            to_drop[self.name_of(elsewhere)] += 1

        self.lab.await_agreement(self.lab.names)
        before = {name: (self.state(name), self.counters(name)) for name in self.lab.names}
        last = {name: self.lab.json("flock", "events", "--limit", 1, "--node", name)[0]["sequence"] for name in self.lab.names}
        self.send(packets)
        for name in self.lab.names:
            state, counters = before[name]
            now = self.counters(name)
            dropped = sum(now[kind] - counters[kind] for kind in ("malformed", "unauthenticated", "replayed", "unproven", "over_budget"))
            self.assertGreaterEqual(dropped, to_drop[name], f"{name}: {counters} before, {now} now")
            self.assertEqual(self.state(name), state)
            new = [each for each in self.lab.json("flock", "events", "--node", name) if each["sequence"] > last[name]]
            self.assertEqual([each for each in new if each["kind"] not in HARMLESS], [])
        self.assertIsNotNone(self.lab.agreed(self.lab.names))


if __name__ == "__main__":
    unittest.main()
