"""What git knows of the workspace's commit; nothing where it is no repository."""

from __future__ import annotations

import subprocess
from pathlib import Path


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
        found["org.opencontainers.image.source"] = _without_credentials(origin)
    return found


def _git(root: Path, *arguments: str) -> str:
    try:
        result = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""


def _without_credentials(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
