"""Secrets of this machine are in nothing that is kept, said, shipped or started because of them."""

from __future__ import annotations

import base64
import gzip
import json
import lzma
import subprocess
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.monorepo import TIMEOUT_S, Monorepo
from tests.registries import PASSWORD, TOKEN, USER, TinyRegistry

SECRETS = {
    "password of the package index": "planted-index-password",
    "password of the Debian mirror": "planted-mirror-password",
    "password of the proxy": "planted-proxy-password",
    "password of the registry": PASSWORD,
    "token of the registry": TOKEN,
    "AWS secret key": "plantedAwsSecretKey0123456789",
    "AWS session token": "planted-aws-session-token",
    "token of the code host": "planted-code-host-token",
    "password in netrc": "planted-netrc-password",
    "ssh key": "planted-ssh-key-data",
}

_WATCHED = """
import sys
def note(event, arguments):
    if event in {"subprocess.Popen", "os.exec", "os.posix_spawn"}:
        with open(sys.argv[1], "a") as file:
            print(repr(arguments[:2]), file=file)
sys.addaudithook(note)
from orchestrator.cli import main
main(sys.argv[2:])
"""
"""Runs `orch` and notes the words of each process that it starts, without their environment."""


@dataclass
class House:
    """A monorepo on a machine that is full of secrets; `said` is all that was printed."""

    repo: Monorepo
    tiny: TinyRegistry
    planted: set[Path] = field(default_factory=set)
    said: list[str] = field(default_factory=list)

    @property
    def processes(self) -> Path:
        return self.repo.home / "processes.txt"

    def plant(self, name: str, text: str) -> Path:
        path = self.repo.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.planted.add(path)
        return path

    def environment(self) -> dict[str, str]:
        proxy = f"http://ann:{SECRETS['password of the proxy']}@127.0.0.1:9"
        return self.repo.environment(
            HTTP_PROXY=proxy,
            HTTPS_PROXY=proxy,
            AWS_ACCESS_KEY_ID="AKIA" + "PLANTED000000000",
            AWS_SECRET_ACCESS_KEY=SECRETS["AWS secret key"],
            AWS_SESSION_TOKEN=SECRETS["AWS session token"],
            GITHUB_TOKEN=SECRETS["token of the code host"],
            PIP_CONFIG_FILE=str(self.repo.home / "pip.conf"),
            TMPDIR=str(self.repo.home / "tmp"),
        )

    def orch(self, *arguments: str, code: int = 0) -> None:
        run = [sys.executable, "-c", _WATCHED, str(self.processes)]
        done = subprocess.run(
            [*run, "-v", "--log-format", "json", *arguments],
            cwd=self.repo.root,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        assert done.returncode == code, done.stderr
        self.said += [done.stdout, done.stderr]

    def kept(self) -> Iterator[tuple[str, bytes]]:
        """Yield all that is left of the runs: files, output, and what the registry has."""
        for path in sorted(self.repo.home.rglob("*")):
            if path.is_file() and not path.is_symlink() and path not in self.planted:
                yield str(path), path.read_bytes()
        yield from (("what was printed", text.encode()) for text in self.said)
        yield from ((f"blob {key}", data) for key, data in self.tiny.blobs.items())
        yield from ((f"manifest {key}", data) for key, (_, data) in self.tiny.manifests.items())


@pytest.fixture
def house(repo: Monorepo) -> Iterator[House]:
    with TinyRegistry(auth="bearer").running() as tiny:
        house = House(repo, tiny)
        (repo.home / "tmp").mkdir()
        _move_secrets_in(house)
        yield house


def _move_secrets_in(house: House) -> None:
    repo = house.repo
    sources = urlsplit(repo.server.url(repo.home))
    mirror, index = (
        sources._replace(netloc=f"ann:{SECRETS[name]}@{sources.netloc}").geturl()
        for name in ("password of the Debian mirror", "password of the package index")
    )
    plain = repo.path("orch.toml").read_text()
    there = [line for line in plain.splitlines() if not line.startswith(("index-url", "mirror"))]
    text = "\n".join(there).replace("[debian]", f'[debian]\nmirror = "{mirror}/debian"')
    house.plant("work/orch.toml", text + "\n")
    house.plant("pip.conf", f"[global]\nindex-url = {index}/python/simple\n")
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    document = {"auths": {house.tiny.address: {"auth": auth}}}
    house.plant(".docker/config.json", json.dumps(document))
    password = SECRETS["password in netrc"]
    house.plant(".netrc", f"machine nowhere.example login ann password {password}\n")
    house.plant(".ssh/id_ed25519", SECRETS["ssh key"])
    # uv is asked anew; what the template resolved was without secrets
    repo.path("orch.lock").unlink()


def forms(secret: str) -> Iterator[bytes]:
    """Yield a secret as it is written, and in base64 wherever in a text it begins."""
    yield secret.encode()
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + secret.encode()).decode()
        yield encoded[4 if before else 0 : -4].encode()


def unpacked(data: bytes) -> Iterator[bytes]:
    yield data
    try:
        if data.startswith(b"\x1f\x8b"):
            yield gzip.decompress(data)
        elif data.startswith(b"\xfd7zXZ"):
            yield lzma.decompress(data)
    except (OSError, EOFError, zlib.error, lzma.LZMAError):
        return


def find_secrets(kept: Iterable[tuple[str, bytes]]) -> list[str]:
    """Return where which secret lies, in words."""
    return [
        f"{what} in {where}"
        for where, data in kept
        for plain in unpacked(data)
        for what, secret in SECRETS.items()
        if any(form in plain for form in forms(secret))
    ]


def test_secrets_are_in_no_file_log_layer_report_record_and_process(house: House) -> None:
    house.orch("lock")
    house.orch("build", "--report", "build.json", "--trace", "trace.json")
    house.orch("push", "--registry", f"{house.tiny.address}/team", "--report", "push.json")
    for arguments in (
        ("plan", "--format", "json"),
        ("explain", "api", "--format", "json"),
        ("history", "--format", "json"),
        ("report", "--format", "html", "--output", "report.html"),
        ("graph", "--format", "json"),
    ):
        house.orch(*arguments)
    assert house.tiny.granted, "the registry asked for its password"
    assert house.tiny.manifests
    assert "uv" in house.processes.read_text(), "what was started was noted"
    assert find_secrets(house.kept()) == []


def test_a_failure_tells_no_secret_either(house: House) -> None:
    house.orch("lock")
    house.repo.debian.remove("tool")
    house.orch("build", "--report", "build.json", code=1)
    assert "tool 1.0 cannot be fetched" in house.said[-1]
    assert find_secrets(house.kept()) == []


def test_a_secret_would_be_found_wherever_it_were(house: House) -> None:
    layer, auth = house.repo.home / "layer", house.repo.home / "auth"
    for what, secret in SECRETS.items():
        layer.write_bytes(gzip.compress(b"x" * 99 + secret.encode() + b"y"))
        auth.write_bytes(base64.b64encode(f"ann:{secret}\n".encode()))
        assert find_secrets(house.kept()) == [f"{what} in {auth}", f"{what} in {layer}"]
