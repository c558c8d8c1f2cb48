"""Calls a service by its api, wherever its best instance runs now."""

import math
from typing import Callable, Optional

from radix.connector import Bound, Connector
from radix.network import SERVICE_NAME, Network, check_name
from radix.registry.v1 import registry_pb2
from radix.routed_channel import RoutedChannel


class Connection:
    """A client that stays connected to the best live instance: the lexicographically greatest inst.

    Its attributes are the methods of the stub, unary and streams; each call goes to the best instance of the moment. A
    better instance is warmed up, then new calls go there; calls in flight finish where they started. A broken
    connection is replaced at once: only calls that were in flight on it fail, with UNAVAILABLE. Nothing is called
    twice. While there is no instance calls wait, and then raise UNAVAILABLE, and say what is missing.

    Thread-safe; cheap to call through, costly to make (threads, a stream): make one for each api, and keep it.
    """

    def __init__(self, stub_class, connector: Connector, default_deadline: Optional[float]):
        self._connector = connector
        self.channel = RoutedChannel(connector, default_deadline)
        self.stub = stub_class(self.channel)  # for methods that are called like something of this class

    def __getattr__(self, name):
        if name == "stub":  # not made yet
            raise AttributeError(name)
        return getattr(self.stub, name)

    @property
    def bound(self) -> Optional[Bound]:
        """The instance that calls go to now; None for none."""
        return self._connector.bound

    @property
    def rebinds(self) -> int:
        """How often calls went to another connection than before."""
        return self._connector.rebinds

    def close(self) -> None:
        """Ends it; calls in flight go on. Later calls are a ValueError, as with any closed channel."""
        self._connector.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def connect(
    stub_class,
    *,
    api: Optional[str] = None,
    inst: Optional[str] = None,
    horde: Optional[str] = None,
    network: Optional[Network] = None,
    wait: float = 5.0,
    default_deadline: Optional[float] = 10.0,
    rescan: float = 30.0,
    on_rebound: Optional[Callable[[Bound], None]] = None,
) -> Connection:
    """Connects; returns at once. Times are in seconds.

    `stub_class` is a stub as gRPC's plugin generates it. `api` asks for any instance of that api, the best first;
    `inst` only for those of one version: exactly one of the two. `horde` is by default the process's own. `network` is
    by default what the environment says.

    `wait`: how long a call waits while there is no instance, before it fails with UNAVAILABLE; at 0 also right after
    `connect`, which takes some milliseconds to find the first. `default_deadline`: the limit of unary calls whose
    caller gave none; 0 or None for none. `rescan`: the longest time between two looks at what there is; news come by
    themselves. `on_rebound(bound)`: called whenever calls go to another connection than before, the first included,
    from a thread of the connection's own, which it must not block.
    """
    wanted = _one_of(api, inst)
    _check_seconds("wait", wait, at_least=0.0)
    _check_seconds("rescan", rescan, at_least=0.01)
    if default_deadline is not None:
        _check_seconds("default_deadline", default_deadline, at_least=0.0)
    network = network or Network.from_environment()
    selector = registry_pb2.Selector(horde=check_name("horde", horde or network.horde), **wanted)
    return Connection(stub_class, Connector(network, selector, wait, rescan, on_rebound), default_deadline or None)


def _one_of(api, inst) -> dict:
    if api and inst:
        raise ValueError(f"api and inst: both are given, {api!r} and {inst!r}; leave one of them out")
    if not api and not inst:
        raise ValueError("api and inst: neither is given; say api='galumph2' for the best, or inst='galumph2_3'")
    field, value = ("api", api) if api else ("inst", inst)
    return {field: check_name(field, value, SERVICE_NAME)}


def _check_seconds(field: str, value: float, at_least: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not at_least <= value < math.inf:
        raise ValueError(f"{field}: {value!r} is not a number of seconds from {at_least} on")
