"""Names of images in registries, parsed once: hosts, repositories, references."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from orchestrator.errors import WorkspaceError

DOCKER_HUB = "docker.io"

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = rf"{_PART}(?:/{_PART})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_DIGEST = r"sha256:[0-9a-f]{64}"
_NAMESPACE = re.compile(rf"(?P<host>{_HOST})(?:/(?P<path>{_NAME}))?")
_REFERENCE = re.compile(
    rf"(?:(?P<host>{_HOST})/)?(?P<name>{_NAME})(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?"
)


@dataclass(frozen=True, slots=True, order=True)
class Repository:
    """A repository of a registry: `HOST[:PORT]` and the name of what lies there."""

    host: str
    name: str

    def __str__(self) -> str:
        """Return `HOST[:PORT]/NAME`."""
        return f"{self.host}/{self.name}"


@dataclass(frozen=True, slots=True)
class Namespace:
    """Where a workspace's images go: a host, and a path before their names that may be empty."""

    host: str
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Namespace:
        """Read `HOST[:PORT][/PREFIX]`.

        Raises:
            WorkspaceError: It is none; the host must look like one.
        """
        found = _NAMESPACE.fullmatch(text.rstrip("/"))
        if found is None or not _is_host(found["host"]):
            raise WorkspaceError(
                f"{_without_user(text)!r} is no place in a registry",
                hint='write HOST/PREFIX, for example "registry.example.com/team"',
            )
        return cls(found["host"], found["path"] or "")

    def repository(self, name: str) -> Repository:
        """Return the repository of an image."""
        return Repository(self.host, f"{self.path}/{name}" if self.path else name)

    def __str__(self) -> str:
        """Return it as it is written."""
        return f"{self.host}/{self.path}" if self.path else self.host


@dataclass(frozen=True, slots=True)
class Reference:
    """A repository with a tag, a digest, or both; the digest wins."""

    repository: Repository
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read `[HOST[:PORT]/]NAME[:TAG][@DIGEST]`.

        Without a host it is Docker Hub's, without a tag and a digest it is `latest`.

        Source: OCI distribution specification 1.1, "Pulling manifests"; Docker's reference
        package for what a missing host means.

        Raises:
            WorkspaceError: It is no reference.
        """
        found = _REFERENCE.fullmatch(text)
        if found is None:
            raise WorkspaceError(
                f"{_without_user(text)!r} is no reference of an image",
                hint="write HOST/NAME:TAG or HOST/NAME@sha256:...",
            )
        host, name = found["host"] or "", found["name"]
        if host and not _is_host(host):
            host, name = "", f"{host}/{name}"
        if not re.fullmatch(_NAME, name):
            raise WorkspaceError(
                f"{text!r} is no reference of an image", hint="write its name in lower case"
            )
        if not host or host == DOCKER_HUB:
            host, name = DOCKER_HUB, name if "/" in name else f"library/{name}"
        tag, digest = found["tag"] or "", found["digest"] or ""
        return cls(Repository(host, name), tag if tag or digest else "latest", digest)

    @property
    def pointer(self) -> str:
        """Return what a registry is asked for: the digest, else the tag."""
        return self.digest or self.tag

    def __str__(self) -> str:
        """Return it as it is written."""
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")


def is_digest(text: object) -> bool:
    """Tell whether something is a digest by SHA-256, as those of all blobs here are."""
    return isinstance(text, str) and re.fullmatch(_DIGEST, text) is not None


def is_loopback(host: str) -> bool:
    """Tell whether a `HOST[:PORT]` is this machine itself."""
    name = re.sub(r":[0-9]+$", "", host).strip("[]")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _without_user(text: str) -> str:
    """Return what was meant as a place without the password that somebody wrote into it."""
    return re.sub(r"[^/\s]*:[^/\s]*@(?!sha256:)", "***@", text)


def _is_host(text: str) -> bool:
    """Tell a host from the first part of a path, as Docker does."""
    return "." in text or ":" in text or text == "localhost"
