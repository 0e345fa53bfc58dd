"""The errors a user can cause, each with a hint and an exit code.

Everything raised on purpose derives from `OrchError`; it is caught once, in the command line.
"""

from __future__ import annotations

import errno
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType

from orchestrator.printable import printable, short

_MOST_CHARS = 20_000
"""Of a message: the end of a build's log fits in, a name of 10 MB does not."""


class ExitCode(IntEnum):
    """Exit codes of every verb."""

    DONE = 0
    FAILED = 1
    WRONG_REQUEST = 2
    MISSING_TOOL = 3
    INTERRUPTED = 130


class OrchError(Exception):
    """What went wrong, where, and what to do about it.

    Whatever a message quotes, it is bounded and fit to be printed.
    """

    exit_code = ExitCode.FAILED
    may_pass = False
    """Whether trying again later may help: a server is busy, the network is down."""

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        file: Path | str | None = None,
        line: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = _plain(message)
        self.hint = _plain(hint)
        self.file = str(file) if file is not None else ""
        self.line = line

    def __str__(self) -> str:
        """Return the message, led by `FILE:LINE: ` where these are known."""
        if not self.file:
            return self.message
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{_plain(where)}: {self.message}"

    @property
    def in_a_line(self) -> str:
        """Return it with its hint, for warnings that tell of it."""
        return f"{self}; {self.hint}" if self.hint else str(self)

    def during(self, doing: str) -> OrchError:
        """Put verb and object before the message, as in "assembling python-web: ..."."""
        self.message = f"{doing}: {self.message}"
        return self


def _plain(text: str) -> str:
    return printable(short(text, _MOST_CHARS))


class WorkspaceError(OrchError):
    """The workspace, or the request made of it, is wrong."""

    exit_code = ExitCode.WRONG_REQUEST


class LockError(OrchError):
    """`orch.lock` is missing, unreadable or does not match the workspace."""

    exit_code = ExitCode.WRONG_REQUEST


class LockBehindError(OrchError):
    """A check found that `orch.lock` does not match the workspace."""


class BaseMovedError(OrchError):
    """A check found that an external image is another one upstream than the lock pins."""


class ResolutionError(OrchError):
    """No set of packages satisfies what was asked for."""


class FetchError(OrchError):
    """A file could not be fetched, or is not the one the lock names."""


class UnreachableError(FetchError):
    """A server is busy or out of reach."""

    may_pass = True


class ArtifactError(OrchError):
    """A wheel, a Debian package or another input file cannot be used."""


class AssemblyError(OrchError):
    """An image cannot be assembled from its inputs."""


class BuildError(OrchError):
    """A Dockerfile does not build."""


class MissingToolError(OrchError):
    """A needed tool or engine is missing or out of reach."""

    exit_code = ExitCode.MISSING_TOOL


class UnavailableError(OrchError):
    """An image cannot be made on this machine; nothing is wrong with it."""

    exit_code = ExitCode.MISSING_TOOL


class InterruptedByUserError(OrchError):
    """The user asked to stop."""

    exit_code = ExitCode.INTERRUPTED


class OutOfSpaceError(OrchError):
    """The disk is full; what was complete before is still good."""


def unreadable(
    error: OSError | ValueError, file: Path | str, kind: type[OrchError] = WorkspaceError
) -> OrchError:
    """Return the error for a file of the user's that cannot be read, or is no UTF-8 text."""
    if isinstance(error, UnicodeDecodeError):
        line = error.object.count(b"\n", 0, error.start) + 1
        return kind("is not UTF-8 text", file=file, line=line, hint="save it as UTF-8")
    if not isinstance(error, OSError):
        return kind(f"cannot be read: {error}", file=file, hint="correct the path")
    hint = _READING_HINTS.get(error.errno or 0, f"see what this says: cat {short(str(file))}")
    return kind(f"cannot be read: {error.strerror}", file=file, hint=hint)


def disk_error(error: OSError, path: Path | None = None) -> OrchError:
    """Turn an operating system's error into one with a hint.

    Where it is not known at which `path` it happened, that of the error is taken, if it has one.
    """
    where = path or error.filename
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return OutOfSpaceError(
            f"no space left while writing {where}" if where else "no space left on a disk",
            hint="free some space (ORCH_CACHE moves the cache, TMPDIR what is temporary); "
            "what is complete is kept",
        )
    hint = _DISK_HINTS.get(error.errno or 0, "run it again; orch doctor tries the disks it uses")
    return OrchError(f"{where}: {error.strerror}" if where else f"{error.strerror}", hint=hint)


_DISK_HINTS = MappingProxyType(
    {
        errno.EIO: "the disk may be failing; orch fsck finds what is damaged",
        errno.EACCES: "let the user who runs orch at it; ORCH_CACHE moves the cache",
        errno.EPERM: "let the user who runs orch at it; ORCH_CACHE moves the cache",
        errno.EISDIR: "a folder is where a file should be: move it out of the way",
        errno.EEXIST: "a file is where a folder should be: move it out of the way",
        errno.ENOTDIR: "a part of that path is a file: move it out of the way",
        errno.ENOENT: "it is gone, or its folder is: put it there again, or name another place",
        errno.ENAMETOOLONG: "move what is read or written to a shorter path",
        errno.EROFS: "it is mounted read-only; ORCH_CACHE moves the cache",
        errno.EMFILE: "too many files are open at once; raise the limit (ulimit -n)",
    }
)

_READING_HINTS = MappingProxyType(
    {
        errno.ENOENT: "correct the path, or put the file there",
        errno.ENOTDIR: "correct the path: a part of it is a file",
        errno.EISDIR: "correct the path: a file is wanted there, and that is a folder",
        errno.EACCES: "let the user who runs orch read it, for example with chmod",
        errno.EINVAL: "put a file in its place",
        errno.ELOOP: "it is a link that leads back to itself: remove it",
        errno.EIO: "the disk may be failing; restore the file from git or a backup",
    }
)
