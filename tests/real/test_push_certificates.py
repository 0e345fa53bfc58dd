"""A registry whose certificate nobody signed is spoken to where it is told to be trusted."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.publish.http_registry import HttpRegistry
from orchestrator.publish.reference import Repository
from orchestrator.publish.registry import RegistryError
from orchestrator.publish.wire import Wire
from tests.conftest import required
from tests.real.registry import registry as run_registry


@pytest.fixture(scope="module")
def certificate(
    tmp_path_factory: pytest.TempPathFactory, require_tool: Callable[[str], Path]
) -> Path:
    """A folder with a certificate of 127.0.0.1 that signs itself."""
    folder = tmp_path_factory.mktemp("tls")
    files = ["-keyout", f"{folder}/tls.key", "-out", f"{folder}/tls.crt"]
    names = ["-subj", "/CN=tests", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = [str(require_tool("openssl")), "req", "-x509", "-newkey", "rsa:2048", "-nodes"]
    subprocess.run([*command, "-days", "2", *names, *files], capture_output=True, check=True)
    return folder


@pytest.fixture(scope="module")
def secure(certificate: Path) -> Iterator[str]:
    with required(run_registry(tls=certificate)) as address:
        yield address


@pytest.fixture
def folders(secure: str, tmp_path: Path) -> Path:
    """A folder of certificates that has one for the registry, empty."""
    (tmp_path / secure).mkdir()
    return tmp_path


def ask(address: str, folders: Path) -> str | None:
    wire = Wire(retry_s=0.0, find=lambda _: None, certificates=(folders,))
    try:
        return HttpRegistry(wire).find_manifest(Repository(address, "team/api"), "latest")
    finally:
        wire.close()


def test_an_unknown_certificate_is_an_error_that_says_how_to_trust_it(
    secure: str, folders: Path
) -> None:
    with pytest.raises(RegistryError, match="not trusted") as raised:
        ask(secure, folders)
    assert "SSL_CERT_FILE" in raised.value.hint
    assert "certs.d" in raised.value.hint


def test_a_certificate_in_the_hosts_folder_is_trusted(
    secure: str, folders: Path, certificate: Path
) -> None:
    (folders / secure / "ca.crt").write_bytes((certificate / "tls.crt").read_bytes())
    assert ask(secure, folders) is None


def test_the_certificates_of_ssl_cert_file_are_trusted(
    secure: str, folders: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "tls.crt"))
    assert ask(secure, folders) is None
