"""Certificates of registries that only Docker's or containers' own folders know."""

from __future__ import annotations

import ssl
from pathlib import Path

from orchestrator.errors import WorkspaceError

CERTIFICATES = (Path("/etc/containers/certs.d"), Path("/etc/docker/certs.d"))
"""Folders with a folder a host; the first that has one counts."""


def trusting(host: str, folders: tuple[Path, ...] = CERTIFICATES) -> ssl.SSLContext:
    """Return what decides whether a `HOST[:PORT]` is trusted, and shows our certificate.

    That is the system's certificates, or those of `SSL_CERT_FILE`; besides them `*.crt` of the
    host's folder are trusted, and `*.cert` with its `*.key` is the client's.

    Source: Docker, "Verify repository client with certificates"; containers-certs.d(5).

    Raises:
        WorkspaceError: A file there is no certificate, or has no key.
    """
    context = ssl.create_default_context()
    folder = next((place / host for place in folders if (place / host).is_dir()), None)
    for file in sorted(folder.iterdir()) if folder else ():
        try:
            if file.suffix == ".crt":
                context.load_verify_locations(file)
            elif file.suffix == ".cert":
                context.load_cert_chain(file, file.with_suffix(".key"))
        except (OSError, ssl.SSLError) as error:
            hint = "NAME.crt is to be trusted; NAME.cert and NAME.key are the client's"
            raise WorkspaceError(f"cannot be used: {error}", file=file, hint=hint) from error
    return context
