"""Starts an OCI registry on a free port of 127.0.0.1.

Alone: `python -m tests.real.registry` prints its address and runs until interrupted.
"""

from __future__ import annotations

import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.real.parts import find_tool, start, stop
from tests.real.token_server import TokenServer

_READY_WITHIN_S = 30
_LISTENING = re.compile(r"listening on ([0-9.]+:\d+)")
_CONFIG = """\
version: 0.1
log: {{level: info, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {folder}/data}}
  delete: {{enabled: true}}
http:
  addr: {host}:0
  secret: only-for-tests
"""
_TLS = """\
  tls: {{certificate: {folder}/tls.crt, key: {folder}/tls.key}}
"""
_PASSWORDS = """\
auth:
  htpasswd: {{realm: tests, path: {folder}/htpasswd}}
"""
_TOKENS = """\
auth:
  token: {{realm: {realm}, service: {service}, issuer: {issuer}, rootcertbundle: {certificate}}}
"""
USER, PASSWORD = "ann", "planted-password"
_HTPASSWD = f"{USER}:$2b$05$abcdefghijklmnopqrstuuXXXUKy4cODBo6oD0fJZB1CSpIzxX0SW\n"
"""The user with the bcrypt hash of the password."""


@contextmanager
def registry(
    *,
    passwords: bool = False,
    tokens: TokenServer | None = None,
    tls: Path | None = None,
    host: str = "127.0.0.1",
    inside: Sequence[str] = (),
) -> Iterator[str]:
    """Run an empty registry; its value is `HOST:PORT`, spoken to in plain HTTP.

    With `passwords` it knows `USER` and `PASSWORD` alone, with `tokens` those of a token server.
    With a folder `tls` it speaks TLS, with the `tls.crt` and `tls.key` of that. `host` is the
    address that it listens on; `inside` goes before its command.

    Raises:
        MissingPartError: docker-registry is not installed.
        RuntimeError: It does not start.
    """
    program = find_tool("docker-registry")
    with tempfile.TemporaryDirectory(prefix="orch-registry-") as name:
        folder = Path(name)
        config = _CONFIG.format(folder=folder, host=host)
        if tls is not None:
            config += _TLS.format(folder=tls)
        if passwords:
            (folder / "htpasswd").write_text(_HTPASSWD)
            config += _PASSWORDS.format(folder=folder)
        if tokens is not None:
            config += _TOKENS.format(
                realm=tokens.realm,
                service=tokens.service,
                issuer=tokens.issuer,
                certificate=tokens.certificate,
            )
        (folder / "config.yml").write_text(config)
        log = folder / "log"
        process = start([*inside, program, "serve", folder / "config.yml"], log)
        try:
            yield _address(process, log)
        finally:
            stop(process)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        found = _LISTENING.search(log.read_text(errors="replace"))
        if found:
            return found[1]
        time.sleep(0.05)
    raise RuntimeError(f"the registry did not start:\n{log.read_text(errors='replace')[-4000:]}")


def main() -> None:
    """Run a registry until interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with registry() as address, suppress(KeyboardInterrupt):
        print(address, flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
