"""A gRPC channel whose every call goes to the best instance at the time of the call."""

import time
from typing import Optional

import grpc

from radix.connector import Connector
from radix.link import Link


class RoutedChannel(grpc.Channel):
    """What generated stubs are made with. Thread-safe."""

    def __init__(self, connector: Connector, default_deadline: Optional[float]):
        self._connector = connector
        self._default_deadline = default_deadline

    def unary_unary(self, method, request_serializer=None, response_deserializer=None, *_, **__):
        codes = (request_serializer, response_deserializer)
        return _UnaryMethod(self._connector, "unary_unary", method, codes, self._default_deadline)

    def stream_unary(self, method, request_serializer=None, response_deserializer=None, *_, **__):
        return _UnaryMethod(self._connector, "stream_unary", method, (request_serializer, response_deserializer))

    def unary_stream(self, method, request_serializer=None, response_deserializer=None, *_, **__):
        return _StreamMethod(self._connector, "unary_stream", method, (request_serializer, response_deserializer))

    def stream_stream(self, method, request_serializer=None, response_deserializer=None, *_, **__):
        return _StreamMethod(self._connector, "stream_stream", method, (request_serializer, response_deserializer))

    def subscribe(self, callback, try_to_connect=False):
        raise NotImplementedError("a connection that follows instances has no one state: see its `on_rebound`")

    def unsubscribe(self, callback):
        pass

    def close(self):
        self._connector.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class _Method:
    """One method of a stub. Looks for the best instance at each call, so it may be kept."""

    def __init__(self, connector: Connector, kind: str, path: str, codes: tuple, default_deadline=None):
        self._connector = connector
        self._kind = kind
        self._path = path
        self._codes = codes
        self._default_deadline = default_deadline

    def _begin(self, timeout: Optional[float]) -> tuple:
        """The link, its callable, and what is left of the time."""
        began = time.monotonic()
        link = self._connector.begin_call(timeout)
        if timeout is None:
            left = self._default_deadline
        else:
            left = timeout - (time.monotonic() - began)
        return link, link.method(self._kind, self._path, self._codes), left

    def _start(self, request, timeout, options: dict, as_future: bool) -> "_Call":
        link, method, left = self._begin(timeout)
        try:
            call = (method.future if as_future else method)(request, timeout=left, **options)
        except BaseException:
            link.end_call()
            raise
        if not call.add_callback(link.end_call):  # it has ended already
            link.end_call()
        return _Call(call, self._connector, link)


class _UnaryMethod(_Method, grpc.UnaryUnaryMultiCallable, grpc.StreamUnaryMultiCallable):
    def __call__(self, request, timeout=None, *rest, **options):
        return self.with_call(request, timeout, *rest, **options)[0]

    def with_call(self, request, timeout=None, *rest, **options):
        link, method, left = self._begin(timeout)
        try:
            return method.with_call(request, left, *rest, **options)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                self._connector.doubt(link)
            raise
        finally:
            link.end_call()

    def future(self, request, timeout=None, *rest, **options):
        return self._start(request, timeout, _named(rest, options), as_future=True)


class _StreamMethod(_Method, grpc.UnaryStreamMultiCallable, grpc.StreamStreamMultiCallable):
    def __call__(self, request, timeout=None, *rest, **options):
        return self._start(request, timeout, _named(rest, options), as_future=False)


def _named(rest: tuple, options: dict) -> dict:
    return {**dict(zip(("metadata", "credentials", "wait_for_ready", "compression"), rest)), **options}


class _Call:
    """A call in flight: gRPC's own, but for what it tells the connector before its caller hears of the end."""

    def __init__(self, call, connector: Connector, link: Link):
        self._call = call
        self._connector = connector
        self._link = link

    def __getattr__(self, name):
        return getattr(self._call, name)

    def __iter__(self):
        return self

    def __next__(self):
        try:
            return next(self._call)
        except grpc.RpcError:
            self._look_at_end()
            raise

    def result(self, timeout=None):
        try:
            return self._call.result(timeout)
        except grpc.RpcError:
            self._look_at_end()
            raise

    def exception(self, timeout=None):
        error = self._call.exception(timeout)
        self._look_at_end()
        return error

    def code(self):
        code = self._call.code()
        self._look_at_end()
        return code

    def add_done_callback(self, callback):
        def finish(_):
            self._look_at_end()
            callback(self)

        self._call.add_done_callback(finish)

    def _look_at_end(self) -> None:
        if self._call.code() is grpc.StatusCode.UNAVAILABLE:
            self._connector.doubt(self._link)


# For who asks what it is; its methods are those of the call inside.
grpc.Call.register(_Call)
grpc.Future.register(_Call)
