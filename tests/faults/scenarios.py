"""Verbs that are disturbed: the state before each, and what must be there after the next run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.ground import Ground, Names
from tests.faults.tally import Tally
from tests.registries import TinyRegistry


class Scenario(ABC):
    """A verb in a workspace: `before` is its state, which is copied for every run."""

    verb: tuple[str, ...]
    refusal = ""
    """What it may say to another run of its kind, instead of doing its work."""

    def __init__(self, before: Ground) -> None:
        self.before = before

    def fresh(self, home: Path) -> Ground:
        """Return the state before, in a folder of its own."""
        return self.before.copy(home)

    @abstractmethod
    def check(self, ground: Ground) -> None:
        """Fail unless all is there that an undisturbed run leaves."""

    def glance(self, ground: Ground) -> None:  # noqa: B027 - most have nothing to look at
        """Fail if what a disturbed run left is harmful already."""

    def heal(self, ground: Ground, tally: Tally) -> None:
        """Run the verb again, undisturbed; then all is as if it had never been disturbed."""
        self.glance(ground)
        for finding in ground.wrong():
            tally.heals[f"{finding.fault.value} {finding.where.value}"] += 1
        ended = ground.run(*self.verb)
        assert ended.code == 0, ended.said
        self.check(ground)
        assert ground.wrong() == ()


class Building(Scenario):
    """`orch build`, from nothing or after an edit; every image must be named by its digest."""

    verb: tuple[str, ...] = ("build",)

    def __init__(self, before: Ground, expected: Names) -> None:
        super().__init__(before)
        self.expected = expected

    def check(self, ground: Ground) -> None:
        assert ground.names() == self.expected


class Locking(Scenario):
    """`orch lock`, of what was never locked, or of more than is locked."""

    verb: tuple[str, ...] = ("lock",)

    def __init__(self, before: Ground, expected: str) -> None:
        super().__init__(before)
        self.expected = expected

    def glance(self, ground: Ground) -> None:
        """A lock is the one before or the one after."""
        lock = ground.paths.lock
        old = self.before.paths.lock
        if lock.exists():
            assert lock.read_text() in {self.expected, old.read_text() if old.exists() else ""}

    def check(self, ground: Ground) -> None:
        assert ground.paths.lock.read_text() == self.expected


class Wheels(Locking):
    """`orch wheels`, which builds one of them and writes that into the lock."""

    verb: tuple[str, ...] = ("wheels",)


@dataclass
class Published:
    """A registry in this process, and what a push leaves there: digests by repository and tag."""

    registry: TinyRegistry
    expected: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def clear(self) -> None:
        for kept in (self.registry.blobs, self.registry.manifests, self.registry.tags):
            kept.clear()
        self.registry.uploads.clear()

    def check_tags_are_whole(self) -> None:
        for (repository, tag), digest in list(self.registry.tags.items()):
            assert (repository, digest) in self.registry.manifests, f"{repository}:{tag} is empty"


class Pushing(Scenario):
    """`orch push` to an empty registry."""

    verb: tuple[str, ...] = ("push",)

    def __init__(self, before: Ground, published: Published) -> None:
        super().__init__(before)
        self.published = published

    def fresh(self, home: Path) -> Ground:
        self.published.clear()
        return super().fresh(home)

    def glance(self, ground: Ground) -> None:
        """No tag moves before the whole selection is there."""
        self.published.check_tags_are_whole()

    def check(self, ground: Ground) -> None:
        self.published.check_tags_are_whole()
        assert self.published.registry.tags == self.published.expected


class Deploying(Scenario):
    """`orch deploy` of several files."""

    verb: tuple[str, ...] = ("deploy",)
    refusal = "has changed meanwhile"

    def __init__(self, before: Ground, expected: Mapping[str, str]) -> None:
        super().__init__(before)
        self.expected = expected

    def glance(self, ground: Ground) -> None:
        """Each file is the one before or the one after, and no third one."""
        for name, after in self.expected.items():
            found = (ground.root / name).read_text()
            assert found in {after, (self.before.root / name).read_text()}

    def check(self, ground: Ground) -> None:
        found = {name: (ground.root / name).read_text() for name in self.expected}
        assert found == self.expected


class Collecting(Building):
    """`orch gc` of all that may go; the next build makes it anew."""

    def __init__(self, before: Ground, expected: Names, options: tuple[str, ...]) -> None:
        super().__init__(before, expected)
        self.verb = ("gc", *options)

    def check(self, ground: Ground) -> None:
        assert ground.run("build").code == 0
        super().check(ground)
