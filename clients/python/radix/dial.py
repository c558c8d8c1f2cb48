"""Channels: to services of the own node, and to instances that let a key of this process in."""

import grpc

from radix.key import TLS_NAME, Key

# How long one attempt to connect may take. A service of this node that lives has accepted already, and is only slow; to
# another node, a lost SYN is repeated after 1 s and after 3 s.
LOCAL_CONNECT_LIMIT = 20.0
CONNECT_LIMIT = 5.0


def _options(connect_limit: float) -> list:
    return [
        ("grpc.ssl_target_name_override", TLS_NAME),
        # Without its own pool, a fresh channel would share the broken connection of an older one.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        # In spite of its name: the least that an attempt may last, not the pause before the next.
        ("grpc.min_reconnect_backoff_ms", int(1000 * connect_limit)),
        ("grpc.max_reconnect_backoff_ms", 1000),
        # A host that loses its power says nothing.
        ("grpc.keepalive_time_ms", 10000),
        ("grpc.keepalive_timeout_ms", 5000),
        ("grpc.http2.max_pings_without_data", 0),  # 0: any; quiet streams need them
        ("grpc.max_receive_message_length", 16 << 20),
    ]


def dial_local(state, service: str) -> grpc.Channel:
    """To a service of the node whose sockets are in `state`."""
    return grpc.insecure_channel(f"unix:{state}/{service}.sock", _options(LOCAL_CONNECT_LIMIT))


def dial_introduced(net_id: str, key: Key, certificates: list) -> grpc.Channel:
    """To an endpoint that lets `key` in, and shows one of these certificates, in PEM; any other server is refused."""
    pinned = "".join(certificates).encode()
    credentials = grpc.ssl_channel_credentials(pinned, key.private_pem, key.certificate_pem)
    scheme = "ipv6" if net_id.startswith("[") else "ipv4"
    return grpc.secure_channel(f"{scheme}:{net_id}", credentials, _options(CONNECT_LIMIT))


def is_ready(channel: grpc.Channel) -> bool:
    """Whether a call made now finds its connection; True where this version of gRPC does not say."""
    # grpc.Channel tells of its state only through a thread of its own, which is later than the calls that fail.
    ask = getattr(getattr(channel, "_channel", None), "check_connectivity_state", None)
    return ask is None or ask(False) == grpc.ChannelConnectivity.READY.value[0]
