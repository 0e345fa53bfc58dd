"""Where files of the lock can be fetched from on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

from orchestrator.atomic import write_text
from orchestrator.errors import OrchError, UnavailableError
from orchestrator.model import LockedDeb, LockedWheel
from orchestrator.resolve.debian import DebianArchive
from orchestrator.resolve.python.offered import DistributionFile, Target
from orchestrator.resolve.python.uv import IndexesError, Uv
from orchestrator.supply import Artifact
from orchestrator.transfer import http_client

_JOBS = 16


class WheelPlaces:
    """The URLs of wheels, remembered from resolving and otherwise asked of the indexes.

    All wheels that a build may need are asked for together, once.
    """

    def __init__(
        self,
        file: Path,
        uv: Callable[[], Uv],
        wanted: Callable[[], Iterable[tuple[Target, LockedWheel]]] = tuple,
    ) -> None:
        self._file = file
        self._uv = uv
        self._wanted = wanted
        self._urls = _read_urls(file)
        self._asked = False
        self._problem: IndexesError | None = None
        self._lock = threading.Lock()

    def remember(self, files: Iterable[DistributionFile]) -> None:
        """Keep where files were found, for builds to come."""
        found = {file.sha256: file.url for file in files}
        self._urls = {**_read_urls(self._file), **self._urls, **found}
        write_text(self._file, json.dumps(self._urls, indent=0, sort_keys=True))

    def artifact(self, wheel: LockedWheel) -> Artifact:
        """Return a wheel as something to fetch."""
        return Artifact(
            wheel.file,
            wheel.sha256,
            wheel.size_bytes,
            lambda: self._locate(wheel),
            gone_hint=f"run: orch lock --upgrade {wheel.name}",
            is_shared=True,
        )

    def _locate(self, wheel: LockedWheel) -> Sequence[str]:
        with self._lock:
            known = self._urls.get(wheel.sha256)
            if (known is None or _is_missing_file(known)) and not self._asked:
                self._asked = True
                self._ask()
                known = self._urls.get(wheel.sha256)
        if known is None and self._problem is not None:
            raise IndexesError(self._problem.message, hint=self._problem.hint)
        if known is None:
            raise UnavailableError(
                f"no configured index or find-links folder has {wheel.file}",
                hint="add a source of it to pip's configuration (find-links or extra-index-url)",
            )
        return (known,)

    def _ask(self) -> None:
        groups: list[tuple[Target, dict[str, str]]] = []
        for target, wheel in self._wanted():
            if wheel.sha256 not in self._urls or _is_missing_file(self._urls[wheel.sha256]):
                _group_of(groups, target, wheel)[wheel.name] = wheel.version
        found: list[DistributionFile] = []
        try:
            for target, pins in groups:
                found += self._find(target, pins)
        except IndexesError as error:  # it is not known what they have: nobody is to believe so
            self._problem = error
        self.remember(found)

    def _find(self, target: Target, pins: Mapping[str, str]) -> list[DistributionFile]:
        """Ask for all at once; where one has no source, ask for each by itself."""
        try:
            offered = self._uv().find_files(pins, target)
            return [file for files in offered.values() for file in files]
        except IndexesError:
            raise
        except OrchError:
            if len(pins) == 1:
                return []
        with ThreadPoolExecutor(_JOBS) as pool:
            single = [{name: version} for name, version in pins.items()]
            found = pool.map(lambda pin: self._find(target, pin), single)
            return [file for files in found for file in files]


def _group_of(
    groups: list[tuple[Target, dict[str, str]]], target: Target, wheel: LockedWheel
) -> dict[str, str]:
    """Return the group that can be asked for a wheel too; each has one version of a project."""
    for group_target, group in groups:
        if group_target == target and group.get(wheel.name, wheel.version) == wheel.version:
            return group
    groups.append((target, {}))
    return groups[-1][1]


def _is_missing_file(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "file" and not Path(unquote(parts.path)).is_file()


def _read_urls(file: Path) -> dict[str, str]:
    try:
        urls = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return urls if isinstance(urls, dict) else {}


def deb_artifact(
    deb: LockedDeb, archive: Callable[[], DebianArchive], release_dates: Mapping[str, str]
) -> Artifact:
    """Return a Debian package as something to fetch: from mirrors, then from a snapshot."""

    def mirrors() -> Sequence[str]:
        return [f"{mirror.rstrip('/')}/{deb.path}" for mirror in archive().mirrors()]

    def snapshots() -> Sequence[str]:
        dates = sorted(set(release_dates.values()), reverse=True)
        return [url for date in dates for url in archive().snapshot_urls(deb.path, date)]

    return Artifact(
        f"{deb.name} {deb.version}",
        deb.sha256,
        deb.size_bytes,
        mirrors,
        gone_hint=f"run: orch lock --upgrade {deb.name}, or build with --relock-missing",
        fallback=snapshots,
    )


def measure_files(files: Iterable[DistributionFile]) -> dict[str, int]:
    """Return the sizes, in bytes and by URL, of files whose index does not tell them."""
    unknown = [file.url for file in files if not file.size_bytes]
    with http_client() as client, ThreadPoolExecutor(_JOBS) as pool:

        def measure(url: str) -> int:
            parts = urlsplit(url)
            if parts.scheme == "file":
                return Path(unquote(parts.path)).stat().st_size
            response = client.head(url, headers={"Accept-Encoding": "identity"})
            return int(response.headers.get("content-length", 0)) if response.is_success else 0

        return dict(zip(unknown, pool.map(measure, unknown), strict=True))
