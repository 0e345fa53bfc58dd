"""A Debian archive, a Python index and the server they are fetched from, all made here."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import lzma
import shutil
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.debs import make_deb
from tests.servers import serving

_NEEDED = ("gpg", "gpgv", "gpgconf")
_ZIP_DATE = (2000, 1, 1, 0, 0, 0)


def missing_programs() -> list[str]:
    """Return the programs that signing an archive needs and this machine lacks."""
    return [name for name in _NEEDED if shutil.which(name) is None]


@dataclass(frozen=True)
class SigningKey:
    """A throw-away key that archives are signed with."""

    home: Path

    @property
    def keyring(self) -> Path:
        return self.home / "key.gpg"

    def sign(self, text: str) -> bytes:
        return self._gpg("--clearsign", text=text)

    @classmethod
    @contextmanager
    def made(cls, home: Path) -> Iterator[SigningKey]:
        home.mkdir(mode=0o700)
        key = cls(home)
        new = ("--passphrase", "", "--quick-generate-key", "archive@example.com", "ed25519")
        key._gpg(*new, "sign", "never")
        key.keyring.write_bytes(key._gpg("--export"))
        yield key
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)

    def _gpg(self, *arguments: str, text: str = "") -> bytes:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", *arguments]
        return subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout


Members = Sequence[tuple[tarfile.TarInfo, bytes]]


@dataclass(frozen=True)
class DebianArchive:
    """An archive's folder; `publish` writes its indexes anew."""

    root: Path
    key: SigningKey

    def add(
        self,
        name: str,
        members: Members = (),
        *,
        version: str = "1.0",
        architecture: str = "amd64",
        depends: str = "",
        scripts: Mapping[str, str] | None = None,
        compression: str = ".xz",
    ) -> Path:
        """Put a package into the pool."""
        file = self.root / f"pool/main/{name}_{version}_{architecture}.deb"
        file.parent.mkdir(parents=True, exist_ok=True)
        control = f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n"
        control += f"Depends: {depends}\n" if depends else ""
        make_deb(file, members, {"control": control, **(scripts or {})}, compression)
        file.with_suffix(".control").write_text(control)
        return file

    def remove(self, name: str) -> None:
        """Take all versions of a package out of the pool."""
        for file in (self.root / "pool/main").glob(f"{name}_*"):
            file.unlink()

    def publish(self) -> None:
        lines = []
        suite = self.root / "dists/bookworm"
        for architecture in ("amd64", "arm64"):
            stanzas = [
                self._stanza(f) for f in sorted(self.root.glob(f"pool/main/*_{architecture}.deb"))
            ]
            packed = lzma.compress("\n".join(stanzas).encode())
            path = f"main/binary-{architecture}/Packages.xz"
            (suite / path).parent.mkdir(parents=True, exist_ok=True)
            (suite / path).write_bytes(packed)
            lines.append(f" {hashlib.sha256(packed).hexdigest()} {len(packed)} {path}")
        release = (
            "Origin: Example\nSuite: stable\nCodename: bookworm\n"
            "Date: Sat, 11 Jul 2026 10:16:37 UTC\nSHA256:\n" + "\n".join(lines) + "\n"
        )
        (suite / "InRelease").write_bytes(self.key.sign(release))

    def _stanza(self, file: Path) -> str:
        data = file.read_bytes()
        return (
            file.with_suffix(".control").read_text()
            + f"Size: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"
            + f"Filename: {file.relative_to(self.root)}\n"
        )


@dataclass(frozen=True)
class PythonIndex:
    """A simple index (PEP 503) in a folder: `simple/` has pages, `files/` what they link to."""

    root: Path

    @property
    def files(self) -> Path:
        return self.root / "files"

    def add_wheel(self, name: str, version: str = "1.0", **contents: Any) -> Path:
        """Add a wheel, as `wheel_bytes` makes it."""
        tag = contents.pop("tag", "py3-none-any")
        data = wheel_bytes(name, version, tag=tag, **contents)
        return self._add(name, f"{name}-{version}-{tag}.whl", data)

    def add_sdist(self, name: str, version: str = "1.0") -> Path:
        """Add a project that has source only, with metadata that nothing must be run for."""
        metadata = f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n"
        project = f'[project]\nname = "{name}"\nversion = "{version}"\n'
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as archive:
            for path, text in (("PKG-INFO", metadata), ("pyproject.toml", project)):
                info = tarfile.TarInfo(f"{name}-{version}/{path}")
                info.size = len(text)
                archive.addfile(info, io.BytesIO(text.encode()))
        return self._add(name, f"{name}-{version}.tar.gz", out.getvalue())

    def _add(self, name: str, file: str, data: bytes) -> Path:
        self.files.mkdir(parents=True, exist_ok=True)
        (self.files / file).write_bytes(data)
        self.relist(name)
        return self.files / file

    def relist(self, name: str) -> None:
        """Write a project's page anew, with the digests its files have now."""
        page = self.root / "simple" / name / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        links = []
        for path in sorted(self.files.glob(f"{name}-*")):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            links.append(f'<a href="../../files/{path.name}#sha256={digest}">{path.name}</a>')
        page.write_text("<!DOCTYPE html><html><body>" + "\n".join(links) + "</body></html>")


def wheel_bytes(
    name: str,
    version: str,
    *,
    files: Mapping[str, str | bytes] | None = None,
    requires: Sequence[str] = (),
    tag: str = "py3-none-any",
    scripts: Mapping[str, str] | None = None,
) -> bytes:
    """Return a wheel (PEP 427), the same bytes from the same arguments."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {line}\n" for line in requires)
    texts: dict[str, str | bytes] = {
        **({f"{name}/__init__.py": f"VERSION = {version!r}\n"} if files is None else files),
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    if scripts:
        lines = "".join(f"{key} = {value}\n" for key, value in scripts.items())
        texts[f"{info}/entry_points.txt"] = f"[console_scripts]\n{lines}"
    contents = {path: t.encode() if isinstance(t, str) else t for path, t in texts.items()}
    record = "".join(f"{path},{_record(data)},{len(data)}\n" for path, data in contents.items())
    contents[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in contents.items():
            archive.writestr(zipfile.ZipInfo(path, _ZIP_DATE), data, zipfile.ZIP_DEFLATED, 1)
    return out.getvalue()


def _record(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return "sha256=" + digest.rstrip(b"=").decode()


@dataclass
class Gate:
    """A file that is not answered for until it is let go; `asked` is set by the first request."""

    asked: threading.Event = field(default_factory=threading.Event)
    open: threading.Event = field(default_factory=threading.Event)


class FileServer:
    """Serves a folder on this machine; can hold an answer back, or cut it off half way."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.requests: list[str] = []
        self._cut: set[str] = set()
        self._gates: dict[str, Gate] = {}
        handler = partial(_Handler, self, directory=str(root))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True

    def url(self, path: Path) -> str:
        """Return where a file or folder below the root is served."""
        relative = quote(str(path.relative_to(self.root)))
        return f"http://127.0.0.1:{self._server.server_port}/{relative}"

    def count(self, path: Path) -> int:
        """Return how often a file was asked for, other than by HEAD."""
        return self.requests.count(self._key(path))

    @contextmanager
    def holding(self, path: Path) -> Iterator[Gate]:
        """Hold a file back until its gate is opened, at the latest at the end of the block."""
        key = self._key(path)
        gate = self._gates[key] = Gate()
        try:
            yield gate
        finally:
            gate.open.set()
            del self._gates[key]

    def cut_once(self, path: Path) -> None:
        """Break the connection half way through the next answer with this file."""
        self._cut.add(self._key(path))

    def take_cut(self, path: str) -> bool:
        """Tell whether to cut this answer off."""
        if path not in self._cut:
            return False
        self._cut.discard(path)
        return True

    def _key(self, path: Path) -> str:
        return "/" + quote(str(path.relative_to(self.root)))

    def wait(self, path: str) -> None:
        """Note a request, and wait where the file is held back."""
        self.requests.append(path)
        if gate := self._gates.get(path):
            gate.asked.set()
            gate.open.wait()

    @contextmanager
    def running(self) -> Iterator[FileServer]:
        with serving(self._server):
            yield self


class _Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, files: FileServer, *args: Any, **kwargs: Any) -> None:
        self._files = files
        super().__init__(*args, **kwargs)

    def do_GET(self) -> None:
        self._files.wait(self.path)
        if self._files.take_cut(self.path):
            data = Path(self.translate_path(self.path)).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
            return
        try:
            super().do_GET()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass
