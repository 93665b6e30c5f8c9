"""Whether somebody answers at the address of a Ray cluster is known soon, and before Ray is imported."""

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lipbench.bench.sweep.executors import Options, choose
from lipbench.bench.sweep.executors.address import check_answers
from lipbench.objectives import BadInput

FRAME = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))  # of HTTP/2: settings, none


@contextmanager
def listening(serve: Callable[[socket.socket], object]) -> Iterator[str]:
    """The address of a server that does this with the first connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            connection, _ = server.accept()
            with connection:
                serve(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_a_port_that_is_closed_is_told_before_ray_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # an import of it fails
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(BadInput, match=f"^address {address}: no Ray cluster answers: Connection refused$"):
        choose("ray", Options(address=address))
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(BadInput, match="Connection refused"):
        choose("ray", Options())


def test_a_server_that_never_answers_is_told_after_the_patience_for_it() -> None:
    begun = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as server:  # connects, by the system; nobody reads
        address = f"ray://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(BadInput, match=f"^address {address}: no Ray cluster answers within 0.2 s$"):
            check_answers(address, 0.2)
    assert time.monotonic() - begun >= 0.2


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9.9\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"\0\0"])
def test_what_is_no_grpc_server_is_told(said: bytes) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(said)

    with listening(serve) as address, pytest.raises(BadInput, match=r"no Ray cluster answers, but something else$"):
        check_answers(address)


@pytest.mark.parametrize("cut", [0, 4, 8])
def test_a_grpc_server_passes_however_its_answer_is_cut(cut: int) -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(FRAME[:cut])
        assert connection.recv(100).startswith(b"PRI * HTTP/2.0")
        connection.sendall(FRAME[cut:])

    with listening(serve) as address:
        check_answers(address)


@pytest.mark.parametrize("address", ["", "auto", "local", "nonsense"])
def test_other_addresses_are_left_to_ray(address: str) -> None:
    check_answers(address)
