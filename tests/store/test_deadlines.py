"""Whoever waits too long on a socket is freed, and told that it was the deadline."""

import socket

import pytest

from app.store.deadlines import Deadlines

LONG = 60.0
SHORT = 0.01


def fail_once_shut_down(end: socket.socket) -> None:
    with Deadlines().on(end.fileno(), SHORT):
        assert end.recv(1) == b""
        raise ConnectionError("the server closed the connection")


def test_what_fails_because_its_socket_was_shut_down_is_called_too_long() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(TimeoutError, match=r"longer than 0\.01 seconds") as caught:
        fail_once_shut_down(ours)
    assert isinstance(caught.value.__cause__, ConnectionError)


def test_what_fails_in_time_keeps_its_error_and_its_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with pytest.raises(ConnectionError, match="its own"), Deadlines().on(ours.fileno(), LONG):
            raise ConnectionError("its own")
        theirs.send(b"x")
        assert ours.recv(1) == b"x"


def test_the_earliest_deadline_counts_whichever_came_first() -> None:
    deadlines = Deadlines()
    late, late_end = socket.socketpair()
    soon, soon_end = socket.socketpair()
    with late, late_end, soon, soon_end, deadlines.on(late.fileno(), LONG):
        with deadlines.on(soon.fileno(), SHORT):
            assert soon.recv(1) == b""
        late_end.send(b"x")
        assert late.recv(1) == b"x"
