"""Unit tests cannot reach the network, an engine or the user's cache."""

from __future__ import annotations

import os
import socket

import pytest


def test_connection_beyond_this_machine_is_refused() -> None:
    with socket.socket() as connection, pytest.raises(PermissionError, match=r"192\.0\.2\.1"):
        connection.connect(("192.0.2.1", 80))


def test_look_up_of_a_foreign_name_is_refused() -> None:
    with pytest.raises(PermissionError, match=r"example\.com"):
        socket.getaddrinfo("example.com", 80)


def test_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as connection:
            connection.sendall(b"x")
        accepted, _ = server.accept()
        with accepted:
            assert accepted.recv(1) == b"x"


def test_no_engine_listens_where_docker_host_points() -> None:
    path = os.environ["DOCKER_HOST"].removeprefix("unix://")
    with socket.socket(socket.AF_UNIX) as connection, pytest.raises(FileNotFoundError):
        connection.connect(path)
