"""The bundle of certificate authorities, as update-ca-certificates would leave it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from orchestrator.oci.tar import Entry, EntryKind

BUNDLE = "etc/ssl/certs/ca-certificates.crt"
SHIPPED = "usr/share/ca-certificates/"
LOCAL = "usr/local/share/ca-certificates/"

_PEM_NAME = str.maketrans(" ,()", "__==")


def certificate_entries(contents: Mapping[str, str]) -> list[tuple[Entry, bytes]]:
    """Return the bundle, its list, and a link for each certificate; nothing without any.

    `contents` holds PEM texts by path. OpenSSL's own default, `/usr/lib/ssl/cert.pem`, becomes
    a link to the bundle, so that the links by subject hash are not needed.

    Raises:
        Nothing: Certificates are not parsed.
    """
    shipped = sorted(path for path in contents if path.startswith(SHIPPED))
    local = sorted(path for path in contents if path.startswith(LOCAL))
    if not shipped and not local:
        return []
    paths = [*shipped, *local]
    bundle = "".join(contents[path].rstrip("\n") + "\n" for path in paths)
    names = "".join(f"{path.removeprefix(SHIPPED)}\n" for path in shipped)
    return [
        _file(BUNDLE, bundle),
        _file("etc/ca-certificates.conf", names),
        _link("usr/lib/ssl/cert.pem", f"/{BUNDLE}"),
        *(_link(f"etc/ssl/certs/{_pem_name(path)}", f"/{path}") for path in paths),
    ]


def _pem_name(path: str) -> str:
    stem = PurePosixPath(path).stem
    return stem.translate(_PEM_NAME) + ".pem"


def _file(path: str, text: str) -> tuple[Entry, bytes]:
    data = text.encode()
    return Entry(path, size_bytes=len(data)), data


def _link(path: str, target: str) -> tuple[Entry, bytes]:
    return Entry(path, EntryKind.SYMLINK, 0o777, link=target), b""
