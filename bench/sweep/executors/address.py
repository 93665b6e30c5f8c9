"""Whether a Ray cluster answers at an address, asked without Ray: importing it, and waiting for it, take long."""

import os
import re
import socket

from ....objectives.errors import BadInput

PATIENCE = 5.0  # seconds for the connection, and as many for an answer
# How a client of HTTP/2, which Ray's gRPC speaks, opens a connection; a frame of settings comes back.
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
HEADER, SETTINGS = 9, b"\4"  # bytes of a frame's header, and the one in it that says what it is


def check_answers(address: str, patience: float = PATIENCE) -> None:
    """Raises BadInput where nobody answers, or no gRPC server; only of HOST:PORT, with ray:// or without."""
    found = re.fullmatch(r"(?:ray://)?([^\s/]+):(\d+)", address)
    if found is None:
        return
    where = f"address {address}: no Ray cluster answers"
    try:
        with socket.create_connection((found[1].strip("[]"), int(found[2])), timeout=patience) as connection:
            answer = SETTINGS if os.environ.get("RAY_USE_TLS") else _answer(connection)
    except TimeoutError:
        raise BadInput(f"{where} within {patience:g} s") from None
    except (OSError, OverflowError, UnicodeError) as error:
        raise BadInput(f"{where}: {getattr(error, 'strerror', None) or error}") from error
    if answer != SETTINGS:
        raise BadInput(f"{where}, but something else")


def _answer(connection: socket.socket) -> bytes:
    """The kind of the first frame that comes back, or what stands in its place."""
    connection.sendall(HELLO)
    heard = b""
    while len(heard) < HEADER:
        more = connection.recv(HEADER - len(heard))
        if not more:
            break
        heard += more
    return heard[3:4]
