"""Asking uv: versions that satisfy requirements, and the files that hold them."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import FetchError, MissingToolError, ResolutionError
from orchestrator.model import Platform
from orchestrator.resolve.edges import Edges
from orchestrator.resolve.python.answers import (
    disk_error_in,
    edges_of,
    pins_of,
    projects_without_wheels,
    shorten,
)
from orchestrator.resolve.python.indexes import Indexes, places_for_uv
from orchestrator.resolve.python.offered import DistributionFile, Target, files_of
from orchestrator.scratch import scratch_folder

_TIMEOUT_S = 900
_NO_ANSWER = 2
"""What uv ends with where it cannot ask; where the answer is that there is no solution, with 1."""


_LATER = (
    "try again later; if it stays so, log in there anew, or name another index in pip's "
    "configuration or as [python] index-url"
)


class IndexesError(FetchError):
    """The package indexes are out of reach, or answer with nonsense."""


class NoSolutionError(ResolutionError):
    """uv found no set of versions; the message is uv's own explanation."""


@dataclass(frozen=True, slots=True)
class _Question:
    target: Target
    requirements: tuple[str, ...]
    constraints: tuple[str, ...]
    options: tuple[str, ...]
    output: str = "pins.txt"
    preferred: tuple[str, ...] = ()
    cached: bool = False


class Uv:
    """The uv program with this machine's indexes; one cache for all its runs."""

    def __init__(self, indexes: Indexes, cache: Path, *, offline: bool = False) -> None:
        self._indexes = indexes
        self._cache = cache
        self._offline = offline
        self._program = find_uv()
        self._sdists: dict[Platform, frozenset[str]] = {}

    def compile_pins(
        self,
        requirements: Iterable[str],
        constraints: Iterable[str],
        target: Target,
        preferred: Mapping[str, str] | None = None,
        *,
        cached: bool = False,
    ) -> dict[str, str]:
        """Resolve requirements, PEP 508 lines, to versions by project name.

        `preferred` versions are kept where they satisfy. Projects without any wheel are taken
        as sdists. `cached` says that what is needed was fetched before: then the network is
        asked only where that turns out not to be so.

        Raises:
            NoSolutionError: Nothing satisfies them; the message is uv's explanation.
            IndexesError: The indexes are out of reach.
            OrchError: The cache cannot be written.
        """
        question = _Question(
            target,
            tuple(requirements),
            tuple(constraints),
            ("--no-annotate",),
            preferred=_lines_of(preferred or {}),
            cached=cached,
        )
        return pins_of(self._compile(question))

    def compile_edges(
        self,
        requirements: Iterable[str],
        constraints: Iterable[str],
        target: Target,
        preferred: Mapping[str, str] | None = None,
    ) -> tuple[dict[str, str], Edges]:
        """Resolve as `compile_pins` does from what was fetched before; say who needs whom too.

        Raises:
            NoSolutionError: Nothing satisfies them; the message is uv's explanation.
            IndexesError: The indexes are out of reach.
            OrchError: The cache cannot be written.
        """
        question = _Question(
            target,
            tuple(requirements),
            tuple(constraints),
            ("--annotation-style", "line"),
            preferred=_lines_of(preferred or {}),
            cached=True,
        )
        text = self._compile(question)
        return pins_of(text), edges_of(text)

    def find_latest(self, names: Iterable[str], target: Target) -> dict[str, str]:
        """Return the newest version of each project that fits, whatever it needs itself.

        Raises:
            NoSolutionError: One of them is not offered at all.
            IndexesError: The indexes are out of reach.
            OrchError: The cache cannot be written.
        """
        options = ("--no-annotate", "--no-deps")
        return pins_of(self._compile(_Question(target, tuple(names), (), options)))

    def find_files(
        self, pins: Mapping[str, str], target: Target
    ) -> dict[str, tuple[DistributionFile, ...]]:
        """Return the files, wheels first, that indexes offer for exact versions.

        Raises:
            NoSolutionError: A version is not offered at all.
            IndexesError: The indexes are out of reach.
            OrchError: The cache cannot be written.
        """
        options = ("--no-deps", "--format", "pylock.toml")
        text = self._compile(_Question(target, _lines_of(pins), (), options, "pylock.toml"))
        return {row["name"]: files_of(row) for row in tomllib.loads(text).get("packages", [])}

    def _compile(self, question: _Question) -> str:
        with scratch_folder() as work:
            _write_lines(work / "wanted.in", question.requirements)
            _write_lines(work / "constraints.in", question.constraints)
            output = question.output
            if question.preferred:
                _write_lines(work / output, question.preferred)
            command = ["wanted.in", "-c", "constraints.in", "-o", output, *question.options]
            sdists = set(self._sdists.get(question.target.platform, ()))
            offline = self._offline or question.cached
            while True:
                result = self._run([*command, *_allow(sdists)], question, work, offline=offline)
                if result.returncode == 0:
                    self._sdists[question.target.platform] = frozenset(sdists)
                    return (work / output).read_text("utf-8")
                found = projects_without_wheels(result.stderr) - sdists
                sdists |= found
                if found:
                    continue
                if offline == self._offline:
                    message = shorten(result.stderr)
                    if result.returncode == _NO_ANSWER:
                        raise disk_error_in(message) or IndexesError(message, hint=_LATER)
                    raise NoSolutionError(message, hint="change a requirement or a constraint")
                offline = self._offline

    def _run(
        self, command: Sequence[str], question: _Question, work: Path, *, offline: bool
    ) -> subprocess.CompletedProcess[str]:
        more = [*self._options(question.target), *(["--offline"] if offline else [])]
        try:
            return subprocess.run(
                [self._program, "pip", "compile", *command, *more],
                cwd=work,
                env=self._environment(work),
                capture_output=True,
                text=True,
                check=False,
                timeout=_TIMEOUT_S,
            )
        except subprocess.TimeoutExpired as error:
            message = f"the package indexes gave uv no answer within {_TIMEOUT_S} seconds"
            raise IndexesError(message, hint=_LATER) from error

    def _options(self, target: Target) -> list[str]:
        indexes = self._indexes
        options = ["--no-header", "--quiet", "--no-config", "--only-binary", ":all:"]
        options += ["--python", sys.executable, "--cache-dir", str(self._cache)]
        options += ["--python-version", target.python, "--python-platform", target.uv_platform]
        options += ["--index-strategy", "unsafe-best-match", "--color", "never"]
        if indexes.no_index:
            options.append("--no-index")
        return options

    def _environment(self, work: Path) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("UV_")}
        timeout = os.environ.get("UV_HTTP_TIMEOUT", "120")
        kept |= {"UV_PYTHON_DOWNLOADS": "never", "UV_HTTP_TIMEOUT": timeout}
        kept |= places_for_uv(self._indexes)
        kept["TMPDIR"] = str(work)  # uv leaves locks of its own behind
        if self._indexes.certificates:
            kept.setdefault("SSL_CERT_FILE", self._indexes.certificates)
        return kept


def _lines_of(pins: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{name}=={version}" for name, version in pins.items())


def _allow(sdists: Iterable[str]) -> list[str]:
    """Return the options that take projects as sdists though wheels are asked for."""
    return [f"--no-binary={name}" for name in sorted(sdists)]


def _write_lines(file: Path, lines: Iterable[str]) -> None:
    file.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def find_uv() -> str:
    """Return the uv that is installed with this package, or where else its package finds it.

    Raises:
        MissingToolError: It is in neither place.
    """
    beside = Path(sysconfig.get_path("scripts")) / "uv"
    if beside.is_file():
        return str(beside)
    try:
        import uv  # noqa: PLC0415 - only a lock needs it

        return os.fspath(uv.find_uv_bin())
    except (ImportError, FileNotFoundError, TypeError):  # TypeError: a user without a home
        raise MissingToolError(
            "uv is not installed, and resolving Python packages needs it",
            hint=f"install orch with its dependencies (looked for {beside})",
        ) from None
