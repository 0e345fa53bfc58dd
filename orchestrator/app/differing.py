"""`orch diff`: what differs between two revisions, or between two images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from orchestrator.app.opened import Opened
from orchestrator.app.since import read_commit
from orchestrator.differences.images import compare_images
from orchestrator.differences.locks import compare_locks, compare_pins
from orchestrator.differences.values import Comparison, ImageDifference, Presence
from orchestrator.errors import WorkspaceError
from orchestrator.fingerprint import Fingerprint
from orchestrator.git import find_commit
from orchestrator.model import Platform
from orchestrator.plan import compare_inputs
from orchestrator.scratch import scratch_folder

_TOLD_BY_LOCKS = frozenset({"package-changed", "wheel-changed", "external-changed"})
_OF_PARENTS = "parent-changed"


def compare(opened: Opened, old: str, new: str, platform: Platform) -> Comparison:
    """Compare two revisions of git's, or two images of the layout or of a registry.

    What git knows as a revision is one.

    Raises:
        WorkspaceError: A side is neither, or the one is a revision and the other an image.
        OrchError: A side cannot be read.
    """
    root = opened.paths.root
    commits = [find_commit(root, side) for side in (old, new)]
    if all(commits):
        return _compare_revisions(root, (old, new), (commits[0], commits[1]), platform)
    if any(commits):
        revision, other = (old, new) if commits[0] else (new, old)
        raise WorkspaceError(
            f"{revision} is a revision of git's, and {other} is none",
            hint="compare two revisions, or two images: NAME, HOST/NAME:TAG, HOST/NAME@sha256:...",
        )
    return _compare_images(opened, old, new, platform)


def _compare_images(opened: Opened, old: str, new: str, platform: Platform) -> Comparison:
    from orchestrator.app.image_facts import FactReader  # noqa: PLC0415 - slow to import

    with scratch_folder() as scratch:
        reader = FactReader(opened, platform, scratch)
        before, after = reader.read(old), reader.read(new)
    found = compare_images(new, platform.key, before, after)
    return Comparison("images", old, new, (found,))


def _compare_revisions(
    root: Path, sides: tuple[str, str], commits: tuple[str, str], platform: Platform
) -> Comparison:
    (old, made_of), (new, made_from) = (read_commit(root, one, platform) for one in commits)
    found = {(item.image, item.platform): item for item in compare_locks(old, new)}
    for name in made_of.keys() | made_from.keys():
        key = (name, platform.key)
        item = found.get(key, ImageDifference(*key, presence=_presence(name, made_of, made_from)))
        found[key] = _with_inputs(item, made_of.get(name), made_from.get(name))
    images = tuple(item for _, item in sorted(found.items()) if not item.is_empty)
    return Comparison("revisions", *sides, images, compare_pins(old, new))


def _presence(
    name: str, old: Mapping[str, Fingerprint], new: Mapping[str, Fingerprint]
) -> Presence:
    if name in old and name in new:
        return Presence.BOTH
    return Presence.CAME if name in new else Presence.WENT


def _with_inputs(
    item: ImageDifference, old: Fingerprint | None, new: Fingerprint | None
) -> ImageDifference:
    """Add what an image is made from otherwise, but for packages and what it stands on."""
    if old is None or new is None:
        return item
    reasons = compare_inputs(old.inputs, new.inputs)
    left = (r for r in reasons if r.code not in _TOLD_BY_LOCKS and r.code != _OF_PARENTS)
    return replace(item, inputs=tuple(left))
