"""An ECR in memory, and what it and the real interface do alike, inherited by a class for each."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from orchestrator.publish.ecr.api import Authorisation, Ecr, Present
from orchestrator.publish.ecr.wish import Found, Wish, lifecycle_policy, same_policy
from orchestrator.publish.findings import Scan, ScanStatus
from orchestrator.publish.outgoing import ImageDetails

Put = Callable[[str, Sequence[str]], str]
"""Stores an image in a repository under tags; returns its digest."""

PLAIN = Wish()


@dataclass
class FakeEcr:
    """Repositories in memory; `calls` has each call as `VERB WHAT`.

    `scans` are given one after the other, the last one for ever, by digest; without any an image
    is scanned when that is asked for. `on` says what else happens at a call, by its beginning.
    """

    on: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    repositories: dict[str, Found] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    images: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    scans: dict[str, list[Scan]] = field(default_factory=dict)
    can_scan: bool = True
    left_s: float = 43200.0
    _tokens: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def authorise(self) -> Authorisation:
        self._call("authorise")
        self._tokens += 1
        return Authorisation("AWS", f"token-{self._tokens}", self.left_s)

    def describe(self, names: Sequence[str]) -> dict[str, Found]:
        self._call(f"describe {' '.join(names)}")
        return {name: self.repositories[name] for name in names if name in self.repositories}

    def create(self, name: str, wish: Wish) -> bool:
        self._call(f"create {name}")
        if name in self.repositories:
            return False
        found = Found(wish.scan_on_push, wish.encryption_type, wish.kms_key, wish.mutability)
        self.repositories[name] = found
        self.policies[name] = wish.lifecycle
        return True

    def lifecycle(self, name: str) -> str:
        self._call(f"lifecycle {name}")
        return self.policies.get(name, "")

    def find(self, name: str, pointers: Sequence[str]) -> Present:
        self._call(f"find {name}")
        named = {digest: digest for place, digest in self.images if place == name}
        named |= {
            tag: key[1] for key, tags in self.images.items() for tag in tags if key[0] == name
        }
        absent = frozenset(pointer for pointer in pointers if pointer not in named)
        return Present({item: named[item] for item in pointers if item in named}, absent)

    def details(self, name: str, digest: str) -> ImageDetails | None:
        self._call(f"details {name}")
        tags = self.images.get((name, digest))
        if tags is None:
            return None
        return ImageDetails("2026-01-01T00:00:00+00:00", 100, tuple(sorted(tags)))

    def scan(self, name: str, digest: str) -> Scan:
        self._call(f"scan {name}")
        scans = self.scans.get(digest, [Scan(ScanStatus.ABSENT)])
        return scans.pop(0) if len(scans) > 1 else scans[0]

    def start_scan(self, name: str, digest: str) -> bool:
        self._call(f"start-scan {name}")
        if self.can_scan:
            self.scans.setdefault(digest, [Scan(ScanStatus.COMPLETE)])
        return self.can_scan

    def put(self, name: str, tags: Sequence[str]) -> str:
        """Store an image."""
        digest = "sha256:" + hashlib.sha256(f"{name} {tags}".encode()).hexdigest()
        self.images[name, digest] = set(tags)
        return digest

    def _call(self, call: str) -> None:
        with self._lock:
            self.calls.append(call)
        for beginning, action in self.on.items():
            if call.startswith(beginning):
                action()


class EcrContract:
    """Needs fixtures `ecr` and `put`."""

    @pytest.fixture
    def name(self) -> str:
        """A repository that nobody used before."""
        return f"team/{uuid.uuid4().hex}"

    def test_it_authorises_a_user_with_a_password(self, ecr: Ecr) -> None:
        given = ecr.authorise()
        assert given.user == "AWS"
        assert given.password
        assert given.password not in repr(given)

    def test_what_is_not_there_is_not_described(self, ecr: Ecr, name: str) -> None:
        assert ecr.describe([name, f"{name}-other"]) == {}

    @pytest.mark.parametrize(
        "wish",
        [
            PLAIN,
            Wish(scan_on_push=False, encryption="KMS"),
            Wish(is_immutable=True),
            Wish(is_immutable=True, movable=("latest", "live"), tags=(("team", "voice"),)),
        ],
    )
    def test_a_repository_is_created_as_it_was_wished(
        self, ecr: Ecr, name: str, wish: Wish
    ) -> None:
        assert ecr.create(name, wish)
        (found,) = ecr.describe([name, f"{name}-other"]).values()
        assert found.scan_on_push == wish.scan_on_push
        assert found.encryption_type == wish.encryption_type
        assert found.mutability == wish.mutability

    def test_many_are_described_though_some_lack(self, ecr: Ecr, name: str) -> None:
        names = [f"{name}-{number}" for number in range(4)]
        for there in names[1:3]:
            ecr.create(there, PLAIN)
        assert set(ecr.describe(names)) == set(names[1:3])

    def test_what_is_there_is_not_created_again(self, ecr: Ecr, name: str) -> None:
        assert ecr.create(name, Wish(scan_on_push=False))
        assert not ecr.create(name, PLAIN)
        assert not ecr.describe([name])[name].scan_on_push

    def test_a_policy_comes_back(self, ecr: Ecr, name: str) -> None:
        policy = lifecycle_policy(3, ["live", "v*"])
        ecr.create(name, Wish(lifecycle=policy))
        assert same_policy(ecr.lifecycle(name), policy)

    def test_without_a_policy_there_is_none(self, ecr: Ecr, name: str) -> None:
        ecr.create(name, PLAIN)
        assert ecr.lifecycle(name) == ""

    def test_a_repository_that_lacks_has_no_tags(self, ecr: Ecr, name: str) -> None:
        assert ecr.find(name, ["latest"]) == Present({}, frozenset({"latest"}))

    def test_tags_and_digests_are_found(self, ecr: Ecr, put: Put, name: str) -> None:
        ecr.create(name, PLAIN)
        one, two = put(name, ["v1"]), put(name, ["v2"])
        found = ecr.find(name, ["v1", "v2", "v3", two])
        assert found.digests == {"v1": one, "v2": two, two: two}
        assert found.absent == {"v3"}

    def test_nothing_false_is_said_of_an_image_with_several_tags(
        self, ecr: Ecr, put: Put, name: str
    ) -> None:
        ecr.create(name, PLAIN)
        digest = put(name, ["v1", "latest"])
        found = ecr.find(name, ["v1", "latest", "v2"])
        assert set(found.digests.values()) == {digest}
        assert found.absent == {"v2"}

    def test_more_than_a_request_takes_are_looked_up(self, ecr: Ecr, put: Put, name: str) -> None:
        ecr.create(name, PLAIN)
        digest = put(name, ["fp-199"])
        found = ecr.find(name, [f"fp-{number}" for number in range(200)])
        assert found.digests == {"fp-199": digest}
        assert len(found.absent) == 199

    def test_details_are_told_of_what_is_there(self, ecr: Ecr, put: Put, name: str) -> None:
        ecr.create(name, PLAIN)
        details = ecr.details(name, put(name, ["v1", "latest"]))
        assert details is not None
        assert details.tags == ("latest", "v1")
        assert details.pushed.endswith("+00:00")
        assert ecr.details(name, "sha256:" + "0" * 64) is None

    def test_a_scan_is_absent_until_it_is_asked_for(self, ecr: Ecr, put: Put, name: str) -> None:
        ecr.create(name, Wish(scan_on_push=False))
        digest = put(name, ["v1"])
        assert ecr.scan(name, digest).status is ScanStatus.ABSENT
        assert ecr.start_scan(name, digest)
        assert ecr.scan(name, digest).status is ScanStatus.COMPLETE
