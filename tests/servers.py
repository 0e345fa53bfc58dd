"""Servers of tests, in threads of this process."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOOKS_EVERY_S = 0.01
"""How often a server looks whether it is to end; half a second, the default, adds up."""


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    """Let a server answer until the block ends; then it is closed."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(_LOOKS_EVERY_S,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
