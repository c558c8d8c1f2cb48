"""The network as an application sees it: its own node, through which it finds everything else."""

import ipaddress
import os
import pathlib
import re

from radix.introductions import Introductions

NAME = re.compile(r"[a-z0-9-]{1,63}")
SERVICE_NAME = re.compile(r"[A-Za-z0-9._-]{1,63}")


def check_name(field: str, value: str, pattern: re.Pattern = NAME) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        letters = "a-z 0-9 -" if pattern is NAME else "A-Z a-z 0-9 . _ -"
        raise ValueError(f"{field}: {value!r} is not 1 to 63 characters of {letters}")
    return value


class Network:
    """The node that this process runs on, and who it is there. Connections of one process share it. Thread-safe."""

    def __init__(self, state, node: str = "", horde: str = "default", service: str = "operator"):
        self.state = pathlib.Path(state)
        self.node = node  # its name; empty for not known
        self.horde = check_name("horde", horde)
        self.service = check_name("service", service, SERVICE_NAME)
        self.introductions = Introductions(self.state)

    @staticmethod
    def from_environment() -> "Network":
        """From what picket gives its plugins: RADIX_NODE, RADIX_ADDRESS, RADIX_STATE, and if they are set RADIX_HORDE
        and RADIX_SERVICE. ValueError, which names what is missing or malformed."""
        missing = [name for name in ("RADIX_NODE", "RADIX_ADDRESS", "RADIX_STATE") if not os.environ.get(name)]
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            raise ValueError(
                f"{', '.join(missing)} {verb} not set: run this through picket, or set it by hand, "
                "or say where the node is by radix.Network.at(state)"
            )
        check_name("RADIX_NODE", os.environ["RADIX_NODE"])
        try:
            ipaddress.ip_address(os.environ["RADIX_ADDRESS"])
        except ValueError as error:
            raise ValueError(f"RADIX_ADDRESS: {error}") from None
        return Network(
            os.environ["RADIX_STATE"],
            os.environ["RADIX_NODE"],
            check_name("RADIX_HORDE", os.environ.get("RADIX_HORDE") or "default"),
            check_name("RADIX_SERVICE", os.environ.get("RADIX_SERVICE") or "operator", SERVICE_NAME),
        )

    @staticmethod
    def at(state, service: str = "operator") -> "Network":
        """The node whose sockets are in the folder `state`; by rules this process is what `service` says."""
        horde = check_name("RADIX_HORDE", os.environ.get("RADIX_HORDE") or "default")
        return Network(state, horde=horde, service=service)
