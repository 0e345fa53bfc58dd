"""Servers of packages that lie: about lengths, bytes and types, and where things are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from tests.real.fault_proxy import Handler

Lie = Callable[["Liar"], None]


class Liar(Handler):
    """Answers with a lie where the proxy says that a fault is due, and passes on the rest."""

    lie: Lie

    def _serve(self) -> None:
        if self.owner.fault_of(f"{self.command} {self.path}") is None:
            self._pass_on(None)
            return
        with suppress(ConnectionError):
            type(self).lie(self)

    def answer(
        self, status: int, body: bytes = b"", length: int | None = None, **more: str
    ) -> None:
        self.send_response(status)
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def end(self) -> None:
        self.close_connection = True


def _cut(liar: Liar) -> None:
    liar.answer(200, b"half", length=100_000)
    liar.end()


def _longer(liar: Liar) -> None:
    liar.answer(200, b"x" * 200_000, length=10)
    liar.end()


def _stall(liar: Liar) -> None:
    liar.send_response(200)
    liar.send_header("Content-Length", "100")
    liar.end_headers()
    liar.owner.stall()
    liar.end()


def _nonsense(liar: Liar) -> None:
    liar.wfile.write(b"\x00\xff no HTTP at all\r\n\r\n" * 9)
    liar.end()


def _reset(liar: Liar) -> None:
    liar._reset()


LIES: dict[str, Lie] = {
    "resets": _reset,
    "stalls": _stall,
    "sends less than it says": _cut,
    "sends more than it says": _longer,
    "sends other bytes": lambda liar: liar.answer(200, b"PK\x03\x04 altered" * 99),
    "sends nothing": lambda liar: liar.answer(200),
    "sends a page to log in": lambda liar: liar.answer(
        200, b"<html>log in</html>", Content_Type="text/html"
    ),
    "says that it is gzip": lambda liar: liar.answer(200, b"no gzip", Content_Encoding="gzip"),
    "is busy": lambda liar: liar.answer(503, Retry_After="0"),
    "fails": lambda liar: liar.answer(500),
    "forbids": lambda liar: liar.answer(403),
    "has lost it": lambda liar: liar.answer(404),
    "leads in a circle": lambda liar: liar.answer(302, Location=liar.path),
    "leads to nowhere": lambda liar: liar.answer(302, Location="http://127.0.0.1:1/x"),
    "leads to a file": lambda liar: liar.answer(302, Location="file:///etc/passwd"),
    "speaks no HTTP": _nonsense,
}
