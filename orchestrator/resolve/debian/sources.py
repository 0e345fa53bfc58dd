"""Which archives this machine takes Debian packages from: apt's sources, or the settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.errors import MissingToolError
from orchestrator.model import DebianSettings
from orchestrator.resolve.debian.deb822 import parse_paragraphs

_SCHEMES = ("http://", "https://", "file:/")
_DEFAULT_KEYRING = "usr/share/keyrings/debian-archive-keyring.gpg"
_SNAPSHOT = re.compile(
    r"^#.*?(https?://\S+/archive/debian(?:-security)?)/\d{8}T\d{6}Z", re.MULTILINE
)
_ONE_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<rest>\S.*)$")
_UNCHECKED = re.compile(
    r"^(?!\s*(?://|#)).*\bCheck-Valid-Until\s+\"?(?:no|false|without|off|disable|0)\b",
    re.MULTILINE | re.IGNORECASE,
)
_NO = ("no", "false", "without", "off", "disable")


@dataclass(frozen=True, slots=True)
class Source:
    """An archive, and what of it serves the suite.

    `signed_by` is a path, or an armoured key itself. An `optional` source's suites may be
    missing from the archive.
    """

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str
    check_valid_until: bool = True
    optional: bool = False


def read_sources(settings: DebianSettings, apt_root: Path = Path("/")) -> tuple[Source, ...]:
    """Return the archives that serve the suite, its updates and its security fixes.

    The settings' mirrors come before this machine's apt sources (sources.list(5)), in whose
    order the archives come; sources of other suites are left out.

    Raises:
        MissingToolError: No archive serves the suite.
    """
    keyring = settings.keyring or str(apt_root / _DEFAULT_KEYRING)
    if settings.mirror:
        found = _from_settings(settings, keyring)
    else:
        found = (
            kept for source in _read_apt(apt_root) for kept in _narrow(source, settings, keyring)
        )
    sources = dict.fromkeys(found)
    if _is_expiry_ignored(apt_root):
        sources = dict.fromkeys(replace(source, check_valid_until=False) for source in sources)
    if not any(settings.suite in source.suites for source in sources):
        raise MissingToolError(
            f"this machine's apt sources name no archive of {settings.suite} with"
            f" {', '.join(settings.components)}",
            hint="set mirror (and security-mirror) under [debian] in orch.toml",
        )
    return tuple(sources)


def read_snapshot_roots(settings: DebianSettings, apt_root: Path = Path("/")) -> tuple[str, ...]:
    """Return the URLs below which a snapshot archive keeps dated copies, `.../archive/debian`.

    They are the settings' `snapshot`, or what comments in the apt sources of Debian's container
    images name; none where neither is there.
    """
    if settings.mirror and not settings.snapshot:
        return ()
    if settings.snapshot:
        root = settings.snapshot.rstrip("/")
        return (root, f"{root}-security") if root.endswith("/debian") else (root,)
    texts = [text for _, text in _read_files(apt_root)]
    return tuple(dict.fromkeys(match[1] for text in texts for match in _SNAPSHOT.finditer(text)))


def _from_settings(settings: DebianSettings, keyring: str) -> Iterator[Source]:
    mirror, suite = settings.mirror.rstrip("/"), settings.suite
    yield Source(mirror, (suite,), settings.components, keyring)
    # A mirror in a company often carries the suite alone.
    yield Source(mirror, (f"{suite}-updates",), settings.components, keyring, optional=True)
    if settings.security_mirror:
        security = settings.security_mirror.rstrip("/")
        yield Source(security, (f"{suite}-security",), settings.components, keyring)


def _narrow(found: Source, settings: DebianSettings, keyring: str) -> Iterator[Source]:
    suite = settings.suite
    served = (suite, f"{suite}-updates", f"{suite}-security")
    suites = tuple(name for name in found.suites if name in served)
    components = tuple(name for name in settings.components if name in found.components)
    if not (suites and components and found.uri.startswith(_SCHEMES)):
        return
    signed_by = settings.keyring or found.signed_by or keyring
    yield Source(found.uri, suites, components, signed_by, found.check_valid_until)


def _is_expiry_ignored(apt_root: Path) -> bool:
    """Tell whether this machine's apt takes expired releases (apt.conf(5))."""
    etc = apt_root / "etc/apt"
    files = (etc / "apt.conf", *(etc / "apt.conf.d").glob("*"))
    texts = (f.read_text(encoding="utf-8", errors="replace") for f in files if f.is_file())
    return any(_UNCHECKED.search(text) for text in texts)


def _read_files(apt_root: Path) -> Iterator[tuple[Path, str]]:
    etc = apt_root / "etc/apt"
    parts = sorted((etc / "sources.list.d").glob("*"))
    for file in (etc / "sources.list", *parts):
        if file.suffix in {".list", ".sources"} and file.is_file():
            yield file, file.read_text(encoding="utf-8", errors="replace")


def _read_apt(apt_root: Path) -> Iterator[Source]:
    for file, text in _read_files(apt_root):
        parse = _parse_deb822 if file.suffix == ".sources" else _parse_one_line
        yield from parse(text)


def _parse_deb822(text: str) -> Iterator[Source]:
    for fields in parse_paragraphs(text):
        if "deb" not in fields.get("types", "").split() or _is_no(fields, "enabled"):
            continue
        for uri in fields.get("uris", "").split():
            yield _source(
                uri, fields.get("suites", "").split(), fields.get("components", "").split(), fields
            )


def _parse_one_line(text: str) -> Iterator[Source]:
    for line in text.splitlines():
        match = _ONE_LINE.match(line.strip().partition(" #")[0])
        if match is None:
            continue
        words: list[str] = match["rest"].split()
        uri, suite, *components = (*words, "", "")
        options = (option.partition("=") for option in (match["options"] or "").split())
        yield _source(uri, [suite], components, {name.lower(): value for name, _, value in options})


def _source(
    uri: str, suites: list[str], components: list[str], fields: Mapping[str, str]
) -> Source:
    return Source(
        uri.rstrip("/"),
        tuple(suites),
        tuple(components),
        _signed_by(fields.get("signed-by", "")),
        check_valid_until=not _is_no(fields, "check-valid-until"),
    )


def _signed_by(value: str) -> str:
    # A fingerprint says which key of apt's own keyrings it must be; those have no path here.
    return value if value.startswith("/") or "BEGIN PGP" in value else ""


def _is_no(fields: Mapping[str, str], name: str) -> bool:
    return fields.get(name, "yes").lower() in _NO
