"""Names in registries are read as Docker reads them."""

from __future__ import annotations

import pytest

from orchestrator.errors import WorkspaceError
from orchestrator.publish.reference import Namespace, Reference, Repository, is_loopback

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "host", "name", "tag", "digest"),
    [
        ("debian", "docker.io", "library/debian", "latest", ""),
        ("debian:bookworm", "docker.io", "library/debian", "bookworm", ""),
        ("team/api", "docker.io", "team/api", "latest", ""),
        ("docker.io/debian", "docker.io", "library/debian", "latest", ""),
        ("localhost/api:1", "localhost", "api", "1", ""),
        ("registry:5000/a/b/c:v1", "registry:5000", "a/b/c", "v1", ""),
        ("ghcr.io/team/api", "ghcr.io", "team/api", "latest", ""),
        (f"ghcr.io/team/api@{DIGEST}", "ghcr.io", "team/api", "", DIGEST),
        (f"[::1]:5000/api:v1@{DIGEST}", "[::1]:5000", "api", "v1", DIGEST),
    ],
)
def test_a_reference_has_its_parts(text: str, host: str, name: str, tag: str, digest: str) -> None:
    assert Reference.parse(text) == Reference(Repository(host, name), tag, digest)


def test_the_digest_wins_over_the_tag() -> None:
    assert Reference.parse(f"h.example/a:v1@{DIGEST}").pointer == DIGEST
    assert Reference.parse("h.example/a:v1").pointer == "v1"


def test_a_whole_reference_is_written_as_it_was_read() -> None:
    text = f"registry.example.com:5000/team/api:v1@{DIGEST}"
    assert str(Reference.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "Api", "a//b", "a:", "a@sha256:12", "http://h.example/a", "a b", "h.example/A"]
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(WorkspaceError, match="no reference"):
        Reference.parse(text)


@pytest.mark.parametrize(
    ("text", "repository"),
    [
        ("registry.example.com/team", "registry.example.com/team/api"),
        ("registry.example.com/team/", "registry.example.com/team/api"),
        ("127.0.0.1:5000", "127.0.0.1:5000/api"),
        ("localhost/a/b", "localhost/a/b/api"),
    ],
)
def test_an_image_lies_below_its_namespace(text: str, repository: str) -> None:
    assert str(Namespace.parse(text).repository("api")) == repository


@pytest.mark.parametrize("text", ["team", "", "https://h.example/a", "h.example/Team", "a b/c"])
def test_a_namespace_needs_a_host(text: str) -> None:
    with pytest.raises(WorkspaceError, match="no place in a registry"):
        Namespace.parse(text)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.8.9.1", True),
        ("[::1]:5000", True),
        ("registry.example.com", False),
        ("localhost.example.com:80", False),
        ("10.0.0.1:5000", False),
    ],
)
def test_only_this_machine_is_loopback(host: str, *, expected: bool) -> None:
    assert is_loopback(host) is expected
