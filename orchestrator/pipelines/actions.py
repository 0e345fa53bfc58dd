"""The actions that workflows use, pinned to commits: a tag may be moved, a commit cannot."""

from __future__ import annotations

from collections.abc import Mapping

PINNED = {
    "actions/cache": "cdf6c1fa76f9f475f3d7449005a359c84ca0f306 v5.0.3",
    "actions/checkout": "de0fac2e4500dabe0009e67214ff5f5447ce83dd v6.0.2",
    "actions/download-artifact": "37930b1c2abaa49bbe596cd826c3c89aef350131 v7.0.0",
    "actions/setup-python": "a309ff8b426b58ec0e2a45f0f869d46889d02405 v6.2.0",
    "actions/upload-artifact": "bbbca2ddaa5d8feaa63e36b76fdaad77386f024f v7.0.0",
    "aws-actions/configure-aws-credentials": "8df5847569e6427dd6c4fb1cf565c83acfa8afa7 v6.0.0",
    "github/codeql-action": "f205ea1c3313d32999d8d6a48b4f6530d4437b38 v4.37.4",
}
"""A commit of each repository, and the version that it was released as."""


def use_action(name: str, pins: Mapping[str, str]) -> str:
    """Return how a step names an action, its version behind it as a comment.

    `name` may be an action below the folder of a repository: `actions/cache/restore`. `pins` go
    before the ones known here.
    """
    repository = "/".join(name.split("/")[:2])
    commit, _, version = {**PINNED, **pins}[repository].partition(" ")
    return f"{name}@{commit} # {version}" if version else f"{name}@{commit}"
