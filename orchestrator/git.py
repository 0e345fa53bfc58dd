"""What git knows of the workspace: its commit, and the tree as it was at another one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import OrchError
from orchestrator.scratch import scratch_folder

_TIMEOUT_S = 600
_FETCH = "fetch it (git fetch origin; git fetch --unshallow), or name another revision"


class NoComparisonError(OrchError):
    """git cannot say what the tree was like at a revision."""


def commit_annotations(root: Path) -> dict[str, str]:
    """Return the commit, its time and the repository's address as OCI annotations.

    Source: OCI image specification, annotations.md.
    """
    found = {}
    if line := _git(root, "log", "-1", "--format=%H %cI"):
        revision, _, created = line.partition(" ")
        found = {
            "org.opencontainers.image.revision": revision,
            "org.opencontainers.image.created": created,
        }
    if origin := _git(root, "config", "remote.origin.url"):
        found["org.opencontainers.image.source"] = without_credentials(origin)
    return found


def describe(root: Path) -> str:
    """Return the nearest tag of git's, and how far the commit is from it; nothing without one."""
    return _git(root, "describe", "--tags")


def is_dirty(root: Path) -> bool:
    """Tell whether the files below a folder differ from the commit; untracked ones count."""
    return bool(_git(root, "status", "--porcelain", "--", "."))


def merge_base(root: Path, revision: str) -> str:
    """Return the commit at which the present one and `revision` parted.

    Raises:
        NoComparisonError: There is no git, no repository, no such revision or no common commit.
    """
    _check_repository(root)
    if not _git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"):
        raise NoComparisonError(
            f"git knows no revision {revision!r}{_if_shallow(root)}", hint=_FETCH
        )
    found = _git(root, "merge-base", "HEAD", revision)
    if not found:
        raise NoComparisonError(
            f"git finds no commit common with {revision!r}{_if_shallow(root)}", hint=_FETCH
        )
    return found.splitlines()[0]


def _check_repository(root: Path) -> None:
    found = _run(root, "rev-parse", "--git-dir", env={"LC_ALL": "C"})
    if found is not None and "dubious ownership" in found.stderr:
        raise NoComparisonError(
            f"git does not read the repository of {root}, which is another user's",
            hint=f"trust it: git config --global --add safe.directory {root}",
        )
    if found is None or found.returncode != 0:
        raise NoComparisonError(
            f"{root} is in no git repository, or git is not installed",
            hint="run it in a clone of the repository, with git on the PATH",
        )


def find_commit(root: Path, revision: str) -> str:
    """Return the commit that a revision names; nothing where git knows none."""
    if revision.startswith("-"):
        return ""
    return _git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")


def top_folder(root: Path) -> Path | None:
    """Return the top of the working tree that a folder is in; None where git knows none."""
    found = _git(root, "rev-parse", "--show-toplevel")
    return Path(found) if found else None


def committed_text(file: Path) -> str:
    """Return a file as the last commit has it; it need not be there any more, its folder must.

    Raises:
        NoComparisonError: There is no git, no repository, no commit or no such file in it.
    """
    result = _run(file.parent, "show", f"HEAD:./{file.name}")
    if result is None or result.returncode != 0:
        raise NoComparisonError(f"git has no last commit with {file.name}", hint="commit it first")
    return result.stdout


def present_files(root: Path) -> list[str]:
    """Return the files below a folder that git does not ignore, submodules' too, from there.

    Where git knows nothing of the folder these are none.
    """
    found: set[str] = set()
    for which in (["--cached", "--recurse-submodules"], ["--others", "--exclude-standard"]):
        found.update(_git(root, "ls-files", "-z", *which).split("\0"))
    return [path for path in found if path and (root / path).is_file()]


def lacks_ignore(root: Path, path: str) -> bool:
    """Tell whether git would take a path in; not where git knows nothing of the folder."""
    result = _run(root, "check-ignore", "--quiet", path)
    return result is not None and result.returncode == 1


def export_tree(root: Path, commit: str, folder: Path) -> None:
    """Write the workspace as it was at a commit into an empty folder; nothing else is touched.

    Raises:
        NoComparisonError: An object is missing, or the workspace was not there then.
    """
    prefix = _git(root, "rev-parse", "--show-prefix").rstrip("/")
    tree = f"{commit}:{prefix}"
    top = Path(_git(root, "rev-parse", "--show-toplevel") or root)  # below it, git writes a part
    with scratch_folder() as scratch:
        index = {"GIT_INDEX_FILE": f"{scratch}/index"}
        for arguments in (
            ("read-tree", tree),
            ("checkout-index", "--all", "--quiet", f"--prefix={folder}/"),
        ):
            result = _run(top, *arguments, env=index)
            if result is None or result.returncode != 0:
                why = result.stderr.strip() if result else "git does not answer"
                raise NoComparisonError(
                    f"the tree at {commit[:12]} cannot be read: {why}", hint=_FETCH
                )


def without_credentials(url: str) -> str:
    """Return an address without the user and the password that it may have."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def _if_shallow(root: Path) -> str:
    if _git(root, "rev-parse", "--is-shallow-repository") == "true":
        return ", the clone being shallow (fetch more history)"
    return ""


def _git(root: Path, *arguments: str) -> str:
    result = _run(root, *arguments)
    return result.stdout.strip() if result and result.returncode == 0 else ""


def _run(
    root: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=_TIMEOUT_S,
            env={**os.environ, **(env or {})},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
