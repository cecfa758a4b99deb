"""Free ports on the loopback address, and listening sockets that outlive the process that serves them."""

import socket
from contextlib import suppress

LOOPBACK = "127.0.0.1"
_BACKLOG = 2048


def free_port(preferred: int | None = None) -> int:
    """A port that nobody listens on: the preferred one when it is free, else one that the system picks."""
    with _bound(preferred) as bound:
        return bound.getsockname()[1]


def listen(preferred: int | None = None) -> socket.socket:
    """A listening TCP socket on 127.0.0.1, on the preferred port when it is free.

    The kernel completes connections and queues them while nobody accepts, so a caller waits for a restart instead of
    being refused.
    """
    bound = _bound(preferred)
    bound.listen(_BACKLOG)
    bound.setblocking(False)
    return bound


def _bound(preferred: int | None) -> socket.socket:
    for port in (preferred, 0):
        if port is None:
            continue
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            bound.bind((LOOPBACK, port))
            return bound
        bound.close()
    message = "no free port on 127.0.0.1"
    raise OSError(message)
