"""Calls services of a Radix datacenter by their api, wherever their best instance runs now.

    galumph = radix.connect(galumph_pb2_grpc.GalumphStub, api="galumph2")
    reply = galumph.Register(galumph_pb2.RegisterRequest(beast="snark"))   # plain gRPC from here on

The modules that protoc makes of Radix's own protos are in here too, as `radix.reeve.v1.reeve_pb2` and so on.
"""

import importlib

_HOMES = {
    "Bound": "radix.connector",
    "Connection": "radix.connection",
    "Network": "radix.network",
    "NoInstance": "radix.no_instance",
    "connect": "radix.connection",
}

__all__ = sorted(_HOMES)


def __getattr__(name):
    # Only when used: who wants messages alone, or the decisions alone, need not have gRPC.
    if name not in _HOMES:
        raise AttributeError(f"module 'radix' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
