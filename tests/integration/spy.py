#!/usr/bin/python3
"""A plugin that tries what it may not do, and does what it may. Says what came of it, a JSON object a line.

The test writes its PLAN into it: what to try, as method and message in base64, and what to go on with.
"""

import base64
import json
import os
import queue
import socket
import threading
import time

import grpc

PLAN = json.loads(r"""@PLAN@""")
STATE = os.environ["RADIX_STATE"]


def say(**what):
    print(json.dumps(what), flush=True)


def raw(message):
    return message


def attempt(channel, method, message, unary):
    """(code, details) of the first answer; of an answer that is none, OK."""
    try:
        if unary:
            channel.unary_unary(method, raw, raw)(message, timeout=10)
        else:
            requests = queue.Queue()
            requests.put(message)
            call = channel.stream_stream(method, raw, raw)(iter(requests.get, None), timeout=10)
            next(call)
            call.cancel()
        return "OK", ""
    except StopIteration:
        return "ENDED", ""
    except grpc.RpcError as error:
        return error.code().name, error.details()


def open_files():
    for path in PLAN["files"]:
        try:
            with open(path, "rb"):
                say(file=path, errno=0)
        except OSError as error:
            say(file=path, errno=error.errno)
    for path in PLAN["sockets"]:
        with socket.socket(socket.AF_UNIX) as connection:
            say(socket=path, errno=connection.connect_ex(path))
    try:
        with open(f"{STATE}/mine", "w"):
            say(file=STATE, errno=0)
    except OSError as error:
        say(file=STATE, errno=error.errno)
    for pid in PLAN["pids"]:
        try:
            os.kill(pid, 0)
            say(pid=pid, errno=0)
        except OSError as error:
            say(pid=pid, errno=error.errno)


def keep(name, path, method, message):
    """Keeps a stream open for good, with `message` on it each second, and says how it is each time that it ends."""
    while True:
        with grpc.insecure_channel(f"unix:{STATE}/{path}", [("grpc.max_reconnect_backoff_ms", 500)]) as channel:

            def messages():
                while True:
                    yield message
                    time.sleep(1)

            try:
                for _ in channel.stream_stream(method, raw, raw)(messages(), wait_for_ready=True):
                    say(kept=name, code="OK", details="")
            except grpc.RpcError as error:
                say(kept=name, code=error.code().name, details=error.details())
        time.sleep(0.2)


say(uid=os.getuid(), gid=os.getgid(), groups=os.getgroups(), state=STATE, service=os.environ["RADIX_SERVICE"])
open_files()
for each in PLAN["calls"]:
    with grpc.insecure_channel(f"unix:{STATE}/{each['socket']}") as opened:
        code, details = attempt(opened, each["method"], base64.b64decode(each["message"]), each["unary"])
    say(name=each["name"], code=code, details=details)
for each in PLAN["kept"]:
    arguments = (each["name"], each["socket"], each["method"], base64.b64decode(each["message"]))
    threading.Thread(target=keep, args=arguments, daemon=True).start()
say(done=True)
threading.Event().wait()
