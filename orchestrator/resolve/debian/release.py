"""A suite's `InRelease` file: its signature, its dates and the digests it vouches for."""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from orchestrator.errors import FetchError, MissingToolError
from orchestrator.resolve.debian.deb822 import parse_paragraphs
from orchestrator.scratch import scratch_folder

_OTHER = "it may be no archive of Debian's: set another mirror under [debian]"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ARMOUR_END = "-----END PGP"
_ARMOUR_BEGIN = "-----BEGIN PGP"


@dataclass(frozen=True, slots=True)
class IndexFile:
    """A file that a release vouches for; `path` is relative to the suite's folder."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Release:
    """A suite's release file, verified and parsed."""

    suite: str
    date: datetime
    valid_until: datetime | None
    files: Mapping[str, IndexFile]

    @property
    def timestamp(self) -> str:
        """Return the release's date as snapshot archives write it, `20260711T101637Z`."""
        return self.date.strftime("%Y%m%dT%H%M%SZ")


def verify_signature(in_release: bytes, signed_by: str, where: str) -> str:
    """Return the text that a key of `signed_by` signed, as `gpgv` read it.

    `signed_by` holds keyring paths, or an armoured key. Like apt, one good signature is enough
    and one bad signature is too many; signatures by unknown keys are passed over.

    Raises:
        FetchError: The file carries no good signature.
        MissingToolError: `gpgv` or the keyring is missing.
    """
    with scratch_folder() as folder:
        signed, text = folder / "InRelease", folder / "Release"
        signed.write_bytes(in_release)
        arguments = [f"--keyring={path}" for path in _keyrings(signed_by, folder)]
        status = _run_gpgv([*arguments, "--status-fd=1", f"--output={text}", str(signed)])
        codes = {line.split()[1] for line in status.splitlines() if line.startswith("[GNUPG:] ")}
        if "GOODSIG" not in codes or "VALIDSIG" not in codes or "BADSIG" in codes:
            raise FetchError(
                f"{where}: the signature is not good",
                hint=f"a key of {_describe(signed_by)} must have signed it: bring the keyring up to"
                " date (package debian-archive-keyring), or set keyring under [debian]",
            )
        return text.read_text(encoding="utf-8", errors="replace")


def parse_release(text: str, suite: str, where: str) -> Release:
    """Read a release file's signed text.

    Source: Debian's repository format, section "Release files".

    Raises:
        FetchError: The text is no release file with SHA256 digests, or of another suite.
    """
    fields = next(parse_paragraphs(text), {})
    named = {fields.get("codename", ""), fields.get("suite", "")}
    if suite not in named:
        found = " or ".join(sorted(named - {""})) or "no suite"
        hint = "set suite under [debian] to what the mirror has, or set another mirror there"
        raise FetchError(f"{where}: it is the release of {found}, not of {suite}", hint=hint)
    try:
        date = _parse_date(fields["date"])
        until = _parse_date(fields["valid-until"]) if "valid-until" in fields else None
        files = {file.path: file for file in _parse_files(fields["sha256"])}
    except KeyError as error:
        raise FetchError(f"{where}: the release file has no field {error}", hint=_OTHER) from error
    except (ValueError, OverflowError) as error:
        raise FetchError(f"{where}: the release file is malformed: {error}", hint=_OTHER) from error
    return Release(suite, date, until, files)


def check_valid_until(release: Release, now: datetime, where: str) -> None:
    """Refuse a release whose `Valid-Until` is past: a mirror may be frozen on purpose.

    Raises:
        FetchError: The release has expired.
    """
    if release.valid_until is not None and release.valid_until < now:
        raise FetchError(
            f"{where}: the release has expired: Valid-Until is {release.valid_until.isoformat()}",
            hint="set this machine's clock; use a mirror that is up to date, or say"
            " Check-Valid-Until: no in its apt source where it is an old one on purpose",
        )


def _parse_date(text: str) -> datetime:
    date = parsedate_to_datetime(text)
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)


def _parse_files(table: str) -> Iterator[IndexFile]:
    for line in table.split("\n"):
        if line.strip():
            sha256, size, path = line.split()
            if not _SHA256.fullmatch(sha256):
                raise ValueError(f"{path} has no SHA-256")
            yield IndexFile(path, sha256, int(size))


def _run_gpgv(arguments: list[str]) -> str:
    try:
        done = subprocess.run(["gpgv", *arguments], capture_output=True, check=False)
    except FileNotFoundError as error:
        raise MissingToolError(
            "gpgv is missing; it verifies the signatures of Debian's archives",
            hint="install it: apt-get install gpgv, or brew install gnupg",
        ) from error
    return done.stdout.decode(errors="replace")


def _keyrings(signed_by: str, folder: Path) -> Iterator[Path]:
    if _ARMOUR_BEGIN in signed_by:
        yield _dearmoured(signed_by, folder / "key.gpg")
        return
    for index, name in enumerate(signed_by.replace(",", " ").split()):
        path = Path(name)
        if not path.is_file():
            raise MissingToolError(
                f"the keyring {name} is missing",
                hint="install the package debian-archive-keyring, or set keyring under [debian]",
            )
        content = path.read_bytes()
        if content.startswith(_ARMOUR_BEGIN.encode()):
            path = _dearmoured(content.decode(errors="replace"), folder / f"key{index}.gpg")
        yield path.absolute()


def _dearmoured(text: str, target: Path) -> Path:
    """Write what `gpgv` can read: it takes binary keyrings only (RFC 9580, section 6)."""
    with target.open("wb") as out:
        for block in text.split(_ARMOUR_BEGIN)[1:]:
            lines = [line.strip() for line in block.partition(_ARMOUR_END)[0].splitlines()[1:]]
            body = [line for line in lines if line not in {"", "."} and ":" not in line]
            out.write(base64.b64decode("".join(x for x in body if not x.startswith("="))))
    return target


def _describe(signed_by: str) -> str:
    return "the source's Signed-By" if _ARMOUR_BEGIN in signed_by else signed_by
