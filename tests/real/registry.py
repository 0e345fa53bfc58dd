"""Starts an OCI registry on a free port of 127.0.0.1.

Alone: `python -m tests.real.registry` prints its address and runs until interrupted.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.real.parts import find_tool, keep_until_interrupted, start, stop, wait_for_words
from tests.real.token_server import TokenServer

_LISTENING = r"listening on ([0-9.]+:\d+)"
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
            yield wait_for_words(_LISTENING, process, log, "the registry")
        finally:
            stop(process)


def main() -> None:
    """Run a registry until interrupted."""
    keep_until_interrupted(registry())


if __name__ == "__main__":
    main()
