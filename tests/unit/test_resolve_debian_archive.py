"""Archives made here, signed with a throw-away key, and read over file: and http:."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import lzma
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from orchestrator.errors import FetchError, MissingToolError, UnreachableError
from orchestrator.model import DebianSettings, Platform
from orchestrator.resolve.debian import DebianArchive, fetch, open_archive
from orchestrator.resolve.debian.fetch import Fetcher
from tests.conftest import give_up
from tests.real.parts import MissingPartError
from tests.servers import serving

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
NOW = datetime(2026, 7, 12, tzinfo=UTC)
NEEDED = ("gpg", "gpgv", "gpgconf")


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    if missing := [tool for tool in NEEDED if shutil.which(tool) is None]:
        give_up(MissingPartError(", ".join(missing)))


@dataclass(frozen=True)
class Key:
    home: Path
    keyring: Path
    options: tuple[str, ...] = ()

    def sign(self, text: str) -> bytes:
        return self._gpg("--clearsign", text=text)

    def armoured(self) -> str:
        return self._gpg("--armor", "--export").decode()

    def _gpg(self, *arguments: str, text: str = "") -> bytes:
        how = ("--homedir", str(self.home), "--batch", "--quiet", *self.options)
        command = ["gpg", *how, *arguments]
        done = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
        return done.stdout


def make_key(home: Path, expires: str = "never", options: tuple[str, ...] = ()) -> Key:
    home.mkdir(mode=0o700)
    key = Key(home, home / "key.gpg", options)
    new = ("--passphrase", "", "--quick-generate-key", "archive@example.com", "ed25519", "sign")
    key._gpg(*new, expires)
    key.keyring.write_bytes(key._gpg("--export"))
    return key


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Key, Key]]:
    folder = tmp_path_factory.mktemp("gpg")
    made = make_key(folder / "a"), make_key(folder / "b")
    yield made
    for key in made:
        subprocess.run(["gpgconf", "--homedir", str(key.home), "--kill", "all"], check=True)


@pytest.fixture(scope="module")
def key(keys: tuple[Key, Key]) -> Key:
    return keys[0]


@dataclass
class Mirror:
    """An archive's folder, written anew by `publish`."""

    root: Path
    key: Key

    @property
    def uri(self) -> str:
        return self.root.as_uri()

    def suite(self, name: str = "bookworm") -> Path:
        return self.root / "dists" / name

    def publish(
        self,
        *packages: str,
        suite: str = "bookworm",
        suffix: str = ".xz",
        extra: str = "",
        date: str = "Sat, 11 Jul 2026 10:16:37 UTC",
    ) -> None:
        lines = []
        for architecture in ("amd64", "arm64"):
            packed = _PACK[suffix](index_of(packages, architecture).encode())
            path = f"main/binary-{architecture}/Packages{suffix}"
            file = self.suite(suite) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(packed)
            lines.append(f" {hashlib.sha256(packed).hexdigest()} {len(packed)} {path}")
        release = (
            f"Origin: Example\nSuite: stable\nCodename: {suite}\n"
            f"Date: {date}\n{extra}"
            "SHA256:\n" + "\n".join(lines) + "\n"
        )
        (self.suite(suite) / "InRelease").write_bytes(self.key.sign(release))

    def open(self, cache: Path, uri: str = "", now: datetime = NOW, **given: str) -> DebianArchive:
        settings = DebianSettings(mirror=uri or self.uri, keyring=str(self.key.keyring))
        return open_archive(replace(settings, **given), cache, cache / "no-root", lambda: now)  # type: ignore[arg-type]


_PACK: Mapping[str, Callable[[bytes], bytes]] = {
    ".xz": lzma.compress,
    ".gz": gzip.compress,
    "": bytes,
}


def index_of(packages: tuple[str, ...], architecture: str) -> str:
    return "\n".join(
        f"Package: {name}\nVersion: 1\nArchitecture: {architecture}\nSize: 1\n"
        f"SHA256: 0\nFilename: pool/{name}.deb\n"
        for name in packages
    )


@pytest.fixture
def mirror(tmp_path: Path, key: Key) -> Mirror:
    return Mirror(tmp_path / "mirror", key)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is fetched from now on, by file name."""
    names: list[str] = []
    fetch = Fetcher.fetch

    def noting(self: Fetcher, uri: str, most_bytes: int) -> bytes:
        names.append(uri.rsplit("/", 1)[1])
        return fetch(self, uri, most_bytes)

    monkeypatch.setattr(Fetcher, "fetch", noting)
    return names


@pytest.mark.parametrize("suffix", [".xz", ".gz", ""])
def test_packages_of_each_architecture_are_read(mirror: Mirror, cache: Path, suffix: str) -> None:
    mirror.publish("app", "lib", suffix=suffix)
    archive = mirror.open(cache)
    for platform in (AMD64, ARM64):
        universe = archive.universe(platform)
        assert sorted(universe.names) == ["app", "lib"]
        assert universe.versions("app")[0].architecture == platform.debian


def test_updates_and_security_are_read_too(mirror: Mirror, cache: Path) -> None:
    for number, suite in enumerate(("bookworm", "bookworm-updates", "bookworm-security")):
        mirror.publish(f"p{number}", suite=suite)
    archive = mirror.open(cache, security_mirror=mirror.uri)
    assert sorted(archive.universe(AMD64).names) == ["p0", "p1", "p2"]


def test_http_mirrors_are_read(mirror: Mirror, cache: Path) -> None:
    mirror.publish("app")
    with served(mirror.root) as url:
        assert [*mirror.open(cache, url).universe(AMD64).names] == ["app"]
    with pytest.raises(FetchError, match="out of reach"):
        mirror.open(cache, url).universe(AMD64)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder over HTTP while the block runs."""
    handler = partial(QuietHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}"


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def test_an_unchanged_index_is_not_fetched_again(
    mirror: Mirror, cache: Path, fetched: list[str]
) -> None:
    mirror.publish("app")
    mirror.open(cache).universe(AMD64)
    assert "Packages.xz" in fetched
    fetched.clear()
    assert [*mirror.open(cache).universe(AMD64).names] == ["app"]
    assert set(fetched) == {"InRelease"}


def test_a_changed_index_is_fetched(mirror: Mirror, cache: Path) -> None:
    mirror.publish("app")
    mirror.open(cache).universe(AMD64)
    mirror.publish("app", "new")
    assert [*mirror.open(cache).universe(AMD64).names] == ["app", "new"]


def test_a_universe_is_made_once_for_all_threads(
    mirror: Mirror, cache: Path, fetched: list[str]
) -> None:
    mirror.publish("app")
    archive = mirror.open(cache)
    found: list[object] = []
    start = threading.Barrier(4)

    def ask() -> None:
        start.wait()
        found.append(archive.universe(AMD64))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(universe) for universe in found}) == 1
    assert fetched.count("Packages.xz") == 1


@pytest.mark.parametrize("same_size", [True, False])
def test_a_tampered_index_is_refused(mirror: Mirror, cache: Path, *, same_size: bool) -> None:
    mirror.publish("app", suffix="")
    file = mirror.suite() / "main/binary-amd64/Packages"
    evil = file.read_bytes().replace(b"app", b"evl" if same_size else b"evil")
    file.write_bytes(evil)
    with pytest.raises(FetchError) as caught:
        mirror.open(cache).universe(AMD64)
    assert "main/binary-amd64/Packages: " in caught.value.message
    unit = "SHA-256" if same_size else "bytes"
    assert unit in caught.value.message
    assert "expected" in caught.value.message
    assert "found" in caught.value.message
    assert not [*cache.rglob("*.packages")]


def test_a_mirror_in_mid_update_is_asked_a_second_time(
    mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.publish("old")
    fetch = Fetcher.fetch

    def update_under_way(self: Fetcher, uri: str, most_bytes: int) -> bytes:
        content = fetch(self, uri, most_bytes)
        if uri.endswith("/bookworm/InRelease"):
            mirror.publish("old", "new")
        return content

    monkeypatch.setattr(Fetcher, "fetch", update_under_way)
    assert [*mirror.open(cache).universe(AMD64).names] == ["old", "new"]


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"Codename: bookworm", b"Codename: bookworn"), (b"Origin: Example", b"Origin: Elsewhr")],
)
def test_a_tampered_release_is_refused(mirror: Mirror, cache: Path, old: bytes, new: bytes) -> None:
    mirror.publish("app")
    file = mirror.suite() / "InRelease"
    assert old in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(old, new))
    with pytest.raises(FetchError, match="InRelease: the signature is not good"):
        mirror.open(cache).universe(AMD64)


def test_text_outside_the_signature_is_not_believed(mirror: Mirror, cache: Path) -> None:
    mirror.publish("app", extra="Valid-Until: Fri, 10 Jul 2026 00:00:00 UTC\n")
    file = mirror.suite() / "InRelease"
    file.write_bytes(b"Valid-Until: Sat, 11 Jul 2099 00:00:00 UTC\n\n" + file.read_bytes())
    with pytest.raises(FetchError, match=r"expired|not good"):
        mirror.open(cache).universe(AMD64)


def test_a_release_without_signature_is_refused(mirror: Mirror, cache: Path) -> None:
    mirror.publish("app")
    (mirror.suite() / "InRelease").write_bytes(b"Codename: bookworm\nSHA256:\n")
    with pytest.raises(FetchError, match="signature is not good"):
        mirror.open(cache).universe(AMD64)


def test_a_release_signed_by_another_key_is_refused(
    mirror: Mirror, cache: Path, keys: tuple[Key, Key]
) -> None:
    mirror.publish("app")
    with pytest.raises(FetchError, match="signature is not good") as caught:
        mirror.open(cache, keyring=str(keys[1].keyring)).universe(AMD64)
    assert str(keys[1].keyring) in caught.value.hint


def test_an_armoured_keyring_is_taken(mirror: Mirror, cache: Path, key: Key) -> None:
    mirror.publish("app")
    armoured = cache.parent / "key.asc"
    armoured.write_text(key.armoured())
    assert [*mirror.open(cache, keyring=str(armoured)).universe(AMD64).names] == ["app"]


def test_a_key_within_the_source_is_taken(mirror: Mirror, cache: Path, key: Key) -> None:
    mirror.publish("app")
    parts = cache / "etc/apt/sources.list.d"
    parts.mkdir(parents=True)
    lines = "\n".join(f" {line or '.'}" for line in key.armoured().splitlines())
    text = f"Types: deb\nURIs: {mirror.uri}\nSuites: bookworm\nComponents: main\nSigned-By:\n"
    (parts / "m.sources").write_text(text + lines + "\n")
    archive = open_archive(DebianSettings(), cache, cache, lambda: NOW)
    assert [*archive.universe(AMD64).names] == ["app"]


def test_a_missing_keyring_is_named(mirror: Mirror, cache: Path) -> None:
    mirror.publish("app")
    with pytest.raises(MissingToolError, match="the keyring /nowhere"):
        mirror.open(cache, keyring="/nowhere.gpg").universe(AMD64)


def test_a_missing_gpgv_is_named(
    mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mirror.publish("app")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="gpgv is missing"):
        mirror.open(cache).universe(AMD64)


def test_an_expired_release_is_refused(mirror: Mirror, cache: Path) -> None:
    mirror.publish("app", extra="Valid-Until: Sat, 18 Jul 2026 10:16:37 UTC\n")
    assert mirror.open(cache, now=datetime(2026, 7, 18, 10, 16, tzinfo=UTC)).universe(AMD64)
    with pytest.raises(FetchError, match="has expired"):
        mirror.open(cache, now=datetime(2026, 7, 18, 10, 17, tzinfo=UTC)).universe(AMD64)


def test_a_release_older_than_the_mirror_had_is_refused(mirror: Mirror, cache: Path) -> None:
    mirror.publish("app", date="Sat, 11 Jul 2026 10:00:00 UTC")
    mirror.open(cache).universe(AMD64)
    mirror.publish("app", date="Thu, 09 Jul 2026 10:00:00 UTC")
    with pytest.raises(FetchError, match="the mirror had one of 2026-07-11 10:00") as refused:
        mirror.open(cache).universe(AMD64)
    assert "Check-Valid-Until: no" in refused.value.hint
    remembered = Path(refused.value.hint.rpartition(" rm ")[2])
    remembered.unlink()
    assert mirror.open(cache).universe(AMD64)


def test_servers_of_one_mirror_may_differ_by_a_day(mirror: Mirror, cache: Path) -> None:
    mirror.publish("app", date="Sat, 11 Jul 2026 10:00:00 UTC")
    mirror.open(cache).universe(AMD64)
    mirror.publish("app", date="Fri, 10 Jul 2026 10:00:00 UTC")
    assert mirror.open(cache).universe(AMD64)
    mirror.publish("app", date="Fri, 10 Jul 2026 09:59:59 UTC")
    with pytest.raises(FetchError, match="the mirror had"):
        mirror.open(cache).universe(AMD64)


def test_another_mirror_may_have_an_older_release(mirror: Mirror, cache: Path) -> None:
    mirror.publish("app")
    mirror.open(cache).universe(AMD64)
    older = Mirror(mirror.root.with_name("older"), mirror.key)
    older.publish("app", date="Mon, 01 Jun 2026 10:00:00 UTC")
    assert older.open(cache).universe(AMD64)


def test_where_expiry_is_ignored_a_release_may_be_older(mirror: Mirror, cache: Path) -> None:
    apt = cache / "no-root/etc/apt"
    apt.mkdir(parents=True)
    (apt / "apt.conf").write_text('Acquire::Check-Valid-Until "no";\n')
    for date in ("Sat, 11 Jul 2026 10:00:00 UTC", "Mon, 01 Jun 2026 10:00:00 UTC"):
        mirror.publish("app", date=date)
        assert mirror.open(cache).universe(AMD64)


@pytest.mark.parametrize(
    ("key_lasts", "signature_lasts"), [("never", "1d"), ("1d", "0")], ids=["signature", "key"]
)
def test_an_expired_signature_is_refused(
    tmp_path: Path, cache: Path, key_lasts: str, signature_lasts: str
) -> None:
    then = ("--faked-system-time", "20250101T000000!", "--default-sig-expire", signature_lasts)
    old = make_key(tmp_path / "old", key_lasts, then)
    mirror = Mirror(tmp_path / "mirror", old)
    try:
        mirror.publish("app")
        with pytest.raises(FetchError, match="the signature is not good"):
            mirror.open(cache).universe(AMD64)
    finally:
        subprocess.run(["gpgconf", "--homedir", str(old.home), "--kill", "all"], check=True)


def test_a_password_in_a_mirrors_address_is_not_shown(mirror: Mirror, cache: Path) -> None:
    with pytest.raises(FetchError) as refused:
        mirror.open(cache, "http://ann:hunter2@127.0.0.1:9/debian").universe(AMD64)
    assert "127.0.0.1:9/debian" in str(refused.value)
    assert "hunter2" not in str(refused.value) + refused.value.hint


def test_a_mirror_that_sends_without_end_is_refused(
    mirror: Mirror, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.publish("app")
    monkeypatch.setattr("orchestrator.resolve.debian.index._MOST_RELEASE_BYTES", 100)
    with served(mirror.root) as url, pytest.raises(FetchError, match="more than 100 bytes"):
        mirror.open(cache, url).universe(AMD64)


def test_the_release_of_another_suite_is_refused(mirror: Mirror, cache: Path) -> None:
    mirror.publish("app", suite="bullseye")
    mirror.suite("bullseye").rename(mirror.suite("bookworm"))
    with pytest.raises(FetchError, match="release of bullseye or stable, not of bookworm"):
        mirror.open(cache).universe(AMD64)


def test_a_malformed_release_is_refused(mirror: Mirror, cache: Path) -> None:
    mirror.publish("app", extra="Valid-Until: some day\n")
    with pytest.raises(FetchError, match="malformed"):
        mirror.open(cache).universe(AMD64)


def test_an_architecture_that_the_archive_lacks_is_named(mirror: Mirror, cache: Path) -> None:
    mirror.publish("app")
    with pytest.raises(FetchError, match="no main/binary-riscv64/Packages"):
        mirror.open(cache).universe(_Riscv("linux", "riscv64"))


class _Riscv(Platform):
    __slots__ = ()

    @property
    def debian(self) -> str:
        return "riscv64"


def test_a_suite_that_the_archive_lacks_is_named(mirror: Mirror, cache: Path) -> None:
    with pytest.raises(FetchError, match="dists/bookworm/InRelease: not found"):
        mirror.open(cache).universe(AMD64)


def test_release_dates_are_those_of_snapshots(mirror: Mirror, cache: Path) -> None:
    mirror.publish("app")
    assert mirror.open(cache).release_dates() == {"bookworm": "20260711T101637Z"}


def test_snapshots_are_asked_for_the_day_after_the_release_first(
    mirror: Mirror, cache: Path
) -> None:
    archive = mirror.open(cache, snapshot="https://s.example.com/archive/debian")
    urls = archive.snapshot_urls("pool/updates/main/a/a_1.deb", "20260731T101637Z")
    root = "https://s.example.com/archive"
    assert urls == (
        f"{root}/debian-security/20260801T101637Z/pool/updates/main/a/a_1.deb",
        f"{root}/debian-security/20260731T101637Z/pool/updates/main/a/a_1.deb",
        f"{root}/debian/20260801T101637Z/pool/updates/main/a/a_1.deb",
        f"{root}/debian/20260731T101637Z/pool/updates/main/a/a_1.deb",
    )
    assert archive.snapshot_urls("pool/main/a/a_1.deb", "20260731T101637Z")[0].startswith(
        f"{root}/debian/20260801"
    )


def test_mirrors_are_named_once_each(mirror: Mirror, cache: Path) -> None:
    archive = mirror.open(cache, security_mirror="https://sec.example.com/s")
    assert archive.mirrors() == (mirror.uri, "https://sec.example.com/s")


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Serve with the statuses of a list, one a request; its last item is the port."""
    statuses: list[int] = []

    class Busy(QuietHandler):
        def do_GET(self) -> None:
            self.send_response(statuses.pop(0))
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

    monkeypatch.setattr(fetch, "RETRY_S", 0.0)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy)
    with serving(server):
        statuses.append(server.server_port)
        yield statuses


def test_a_mirror_that_is_busy_is_asked_three_times(busy: list[int]) -> None:
    fetcher, url = Fetcher(), f"http://127.0.0.1:{busy[-1]}/x"
    busy[:0] = [503, 429, 200]
    assert fetcher.fetch(url, 100) == b"ok"
    busy[:0] = [503, 503, 500]
    with pytest.raises(UnreachableError, match="answered 500"):
        fetcher.fetch(url, 100)
    busy[:0] = [403]
    with pytest.raises(FetchError, match="answered 403"):
        fetcher.fetch(url, 100)
    fetcher.close()
    assert len(busy) == 1
