"""What a repository of ECR is to be like, and how one that is there differs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import WorkspaceError
from orchestrator.model import EcrSettings
from orchestrator.tagging import content_tag, inventory_tag

_CONTENT_TAGS = content_tag("") + "*"
_INVENTORY_TAGS = inventory_tag("") + "*"
_INVENTORIES_PER_BUILD = 8
"""What a build may leave of what packages hold: one for each of their layers."""
_UNTAGGED_PER_BUILD = 4
"""What a build may leave without a tag: an older index, and what refers to its images."""
_NO_LIMIT = 100_000
"""More images than a repository may hold: a rule with this number expires none."""
_MOST_MOVABLE = 5
"""How many patterns of movable tags a repository with immutable ones may have."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What repositories are created with; `movable` are tags that may move among immutable ones.

    `lifecycle` is a policy's text, or empty for none.
    """

    scan_on_push: bool = True
    encryption: str = "AES256"
    is_immutable: bool = False
    movable: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    lifecycle: str = ""

    @property
    def encryption_type(self) -> str:
        """Return ECR's word for how images are encrypted."""
        return self.encryption if self.encryption in {"AES256", "KMS"} else "KMS"

    @property
    def kms_key(self) -> str:
        """Return the key, or nothing where AWS's own is meant."""
        return "" if self.encryption in {"AES256", "KMS"} else self.encryption

    @property
    def mutability(self) -> str:
        """Return ECR's word for which tags may move."""
        if not self.is_immutable:
            return "MUTABLE"
        return "IMMUTABLE_WITH_EXCLUSION" if self.movable else "IMMUTABLE"


@dataclass(frozen=True, slots=True)
class Found:
    """What a repository that is there is like, in ECR's words."""

    scan_on_push: bool
    encryption_type: str
    kms_key: str = ""
    mutability: str = "MUTABLE"


def wish_of(settings: EcrSettings, templates: Iterable[str]) -> Wish:
    """Return what the settings ask for; `templates` are those of the images' tags.

    Tags without a variable part, such as `latest`, move, and what they name is kept.

    Raises:
        WorkspaceError: More tags are to move among immutable ones than ECR can be told.
    """
    plain = [template for template in templates if "{" not in template]
    kept = tuple(sorted({*plain, *settings.keep_tags}))
    movable = tuple(tag for tag in kept if "*" not in tag)
    if settings.immutable_tags and len(movable) > _MOST_MOVABLE:
        raise WorkspaceError(
            f"with immutable-tags, ECR lets {_MOST_MOVABLE} tags move, and these are to: "
            f"{', '.join(movable)}",
            hint="take some out of tags and of keep-tags under [ecr]",
        )
    return Wish(
        settings.scan_on_push,
        settings.encryption,
        settings.immutable_tags,
        movable,
        tuple(sorted(settings.tags.items())),
        lifecycle_policy(settings.keep_builds, kept) if settings.keep_builds else "",
    )


def lifecycle_policy(keep_builds: int, keep_tags: Iterable[str]) -> str:
    """Return a policy by which the newest content tags stay, and all that has a tag to keep.

    An image belongs to the first rule that its tags fit, whether or not that expires it: so
    what a tag to keep names is out of reach of the rules below. What content tags, inventories'
    tags and no tag name is bounded, since a repository holds a limited number of images.

    Source: Amazon ECR, "Lifecycle policy properties" and "Lifecycle policy evaluation rules".
    """
    selections: list[tuple[str, dict[str, Any]]] = [
        (f"keep what {tag} names", {**_tagged(tag), "countNumber": _NO_LIMIT if "*" in tag else 1})
        for tag in sorted(set(keep_tags))
    ]
    selections += [
        (
            f"keep the newest {keep_builds} by content",
            {**_tagged(_CONTENT_TAGS), "countNumber": keep_builds},
        ),
        (
            "keep the newest of what packages hold",
            {**_tagged(_INVENTORY_TAGS), "countNumber": keep_builds * _INVENTORIES_PER_BUILD},
        ),
        (
            "keep some of what lost its tags",
            {"tagStatus": "untagged", "countNumber": keep_builds * _UNTAGGED_PER_BUILD},
        ),
    ]
    rules = [
        {
            "rulePriority": number,
            "description": description,
            "selection": {**selection, "countType": "imageCountMoreThan"},
            "action": {"type": "expire"},
        }
        for number, (description, selection) in enumerate(selections, 1)
    ]
    return json.dumps({"rules": rules}, sort_keys=True)


def differences(wish: Wish, found: Found) -> list[str]:
    """Return how a repository differs from what the settings ask for, as parts of a sentence."""
    pairs = (
        ("scan-on-push", _yes(wish.scan_on_push), _yes(found.scan_on_push)),
        ("encryption", wish.encryption_type, found.encryption_type),
        ("tags", wish.mutability, found.mutability),
    )
    return [f"{what} is {there}, not {wanted}" for what, wanted, there in pairs if wanted != there]


def same_policy(one: str, other: str) -> bool:
    """Tell whether two texts are the same policy."""
    return bool(_rules(one) == _rules(other))


def _rules(text: str) -> Any:
    document: Mapping[str, Any] = json.loads(text) if text else {}
    return document.get("rules")


def _tagged(pattern: str) -> dict[str, Any]:
    return {"tagStatus": "tagged", "tagPatternList": [pattern]}


def _yes(value: bool) -> str:  # noqa: FBT001 - it is the value that is put into words
    return "true" if value else "false"
