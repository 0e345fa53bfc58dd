"""Repositories are made, tokens renewed and scans waited for, before any tag moves."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.errors import OrchError
from orchestrator.model import ScanException
from orchestrator.oci.layout import Layout
from orchestrator.publish.auth import Authoriser
from orchestrator.publish.credentials import Credentials
from orchestrator.publish.crew import Crew
from orchestrator.publish.ecr.api import EcrError, NotAllowedError
from orchestrator.publish.ecr.login import EcrLogin
from orchestrator.publish.ecr.premises import EcrPremises, ScanGate
from orchestrator.publish.ecr.registry import EcrRegistry
from orchestrator.publish.ecr.wish import Found, Wish, lifecycle_policy
from orchestrator.publish.findings import Finding, Scan, ScanStatus, Severity
from orchestrator.publish.outgoing import (
    OutgoingImage,
    PlatformImage,
    Pushed,
    PushStatus,
    TagStatus,
)
from orchestrator.publish.push import Push
from orchestrator.publish.reference import Repository
from orchestrator.publish.registry import BlobInfo, CredentialsError, Manifest, VerificationError
from orchestrator.publish.wire import Wire
from tests.ecr import FakeEcr
from tests.fakes import FakeRegistry
from tests.images import AMD64, add_image
from tests.registries import TinyRegistry

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
WISH = Wish(lifecycle=lifecycle_policy(9, ["latest"]))
LIKE_WISHED = Found(scan_on_push=True, encryption_type="AES256")
BAD = Finding("CVE-2026-1", Severity.CRITICAL, "libssl3", "3.0.1", "3.0.2")


class Watcher:
    """Remembers whose findings were waited for."""

    def __init__(self) -> None:
        self.examined: list[str] = []

    def surveyed(self, images: int, upload_bytes: int) -> None: ...

    def sent(self, size_bytes: int) -> None: ...

    def examining(self, image: OutgoingImage) -> None:
        self.examined.append(image.name)

    def finished(self, pushed: Pushed) -> None: ...


@dataclass
class Pushing:
    """A layout, a registry, an ECR and a clock that goes on only when somebody waits."""

    layout: Layout
    crew: Crew
    ecr: FakeEcr = field(default_factory=FakeEcr)
    registry: FakeRegistry = field(default_factory=FakeRegistry)
    watcher: Watcher = field(default_factory=Watcher)
    notes: list[str] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    threshold: str = "critical"
    exceptions: tuple[ScanException, ...] = ()
    creates: bool = True

    def image(self, name: str, content: bytes = b"a layer") -> OutgoingImage:
        built = add_image(self.layout, content)
        document = self.layout.read_json(built.digest)
        rows = (document["config"], *document["layers"])
        blobs = tuple(sorted(BlobInfo(row["digest"], row["size"]) for row in rows))
        manifest = Manifest(built.manifest.media_type, built.manifest.data)
        platforms = (PlatformImage(AMD64, "f" * 64, manifest, blobs),)
        place = Repository(HOST, f"team/{name}")
        return OutgoingImage(name, place, platforms, ("latest",), ("fp-1",))

    def push(self, *images: OutgoingImage, dry_run: bool = False) -> dict[str, Pushed]:
        names = {image.name for image in images}
        gate = ScanGate(dict.fromkeys(names, self.threshold), self.exceptions, "2026-06-15", 60.0)
        premises = EcrPremises(
            self.ecr,
            self.crew,
            WISH,
            gate,
            self.waits_s.append,
            self.notes,
            self.watcher.examining,
            self.creates,
            lambda: sum(self.waits_s),
        )
        push = Push(self.registry, self.crew, self.layout.blob_path, self.watcher, premises)
        return {item.image.name: item for item in push.run(images, dry_run=dry_run)}

    def finds(self, image: OutgoingImage, *scans: Scan) -> None:
        self.ecr.scans[image.top.digest] = list(scans)

    def tags(self) -> set[str]:
        return {f"{place.name}:{tag}" for place, tag in self.registry.named}


@pytest.fixture
def pushing(tmp_path: Path) -> Iterator[Pushing]:
    crew = Crew(2, lambda: None)
    yield Pushing(Layout(tmp_path / "layout"), crew)
    crew.close()


def complete(*findings: Finding) -> Scan:
    return Scan(ScanStatus.COMPLETE, findings)


def raising(error: OrchError) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_a_repository_is_created_before_anything_is_sent_there(pushing: Pushing) -> None:
    order: list[str] = []
    pushing.ecr.on = {"create": lambda: order.append("create")}
    pushing.registry.on = {"upload": lambda: order.append("upload")}
    (done,) = pushing.push(pushing.image("api")).values()
    assert done.status is PushStatus.PUSHED
    assert order[0] == "create"
    assert pushing.ecr.policies == {"team/api": WISH.lifecycle}
    assert pushing.notes == ["repository team/api was created"]


def test_a_push_that_changes_nothing_asks_for_no_repository_and_no_scan(pushing: Pushing) -> None:
    image = pushing.image("api")
    pushing.push(image)
    pushing.ecr.calls.clear()
    assert pushing.push(image)["api"].status is PushStatus.UNCHANGED
    assert pushing.ecr.calls == []


def test_a_repository_that_is_there_is_left_as_it_is_and_its_differences_are_said(
    pushing: Pushing,
) -> None:
    pushing.ecr.repositories["team/api"] = Found(scan_on_push=False, encryption_type="KMS")
    pushing.push(pushing.image("api"))
    assert not pushing.ecr.repositories["team/api"].scan_on_push
    (note,) = pushing.notes
    assert "scan-on-push is false, not true" in note
    assert "encryption is KMS, not AES256" in note
    assert "no lifecycle policy" in note


def test_a_repository_as_wished_needs_no_note(pushing: Pushing) -> None:
    pushing.ecr.repositories["team/api"] = LIKE_WISHED
    pushing.ecr.policies["team/api"] = WISH.lifecycle
    pushing.push(pushing.image("api"))
    assert pushing.notes == []


def test_who_may_not_read_the_policy_pushes_all_the_same(pushing: Pushing) -> None:
    pushing.ecr.repositories["team/api"] = LIKE_WISHED
    pushing.ecr.on = {"lifecycle": raising(NotAllowedError("not allowed"))}
    assert pushing.push(pushing.image("api"))["api"].status is PushStatus.PUSHED


def test_a_dry_run_creates_nothing_and_says_what_would_be(pushing: Pushing) -> None:
    pushing.push(pushing.image("api"), dry_run=True)
    assert pushing.ecr.repositories == {}
    assert pushing.notes == ["repository team/api would be created"]


def test_a_repository_that_may_not_be_created_stops_the_push(pushing: Pushing) -> None:
    error = NotAllowedError("not allowed: ecr:CreateRepository", hint="allow it")
    pushing.ecr.on = {"create team/web": raising(error)}
    done = pushing.push(pushing.image("web"), pushing.image("api"))
    assert done["web"].error is error
    assert done["api"].status is PushStatus.CANCELLED
    assert not pushing.registry.blobs


def test_without_leave_to_create_a_missing_repository_is_an_error(pushing: Pushing) -> None:
    pushing.creates = False
    error = pushing.push(pushing.image("api"))["api"].error
    assert isinstance(error, EcrError)
    assert "does not exist" in error.message
    assert pushing.ecr.repositories == {}


def test_a_failing_image_gets_no_tag_and_neither_do_the_others(pushing: Pushing) -> None:
    api, web = pushing.image("api"), pushing.image("web", b"other")
    pushing.finds(api, complete(BAD))
    pushing.finds(web, complete())
    done = pushing.push(api, web)
    assert done["api"].status is PushStatus.FAILED
    assert "CVE-2026-1 (critical) in libssl3 3.0.1, fixed in 3.0.2" in str(done["api"].error)
    assert done["web"].status is PushStatus.CANCELLED
    assert pushing.tags() == set()
    assert set(done["web"].tags.values()) == {TagStatus.UNTOUCHED}


def test_all_images_that_fail_are_named_at_once(pushing: Pushing) -> None:
    images = [pushing.image(name, name.encode()) for name in ("api", "job", "web")]
    for image in images[:2]:
        pushing.finds(image, complete(BAD))
    pushing.finds(images[2], complete())
    done = pushing.push(*images)
    assert [name for name, item in done.items() if item.error] == ["api", "job"]


def test_an_image_that_failed_is_examined_again_and_not_sent_again(pushing: Pushing) -> None:
    api = pushing.image("api")
    pushing.finds(api, complete(BAD))
    pushing.push(api)
    pushing.registry.calls.clear()
    pushing.exceptions = (ScanException("CVE-2026-1", "2026-07-01", "no fix yet"),)
    done = pushing.push(api)["api"]
    assert done.status is PushStatus.PUSHED
    assert not [call for call in pushing.registry.calls if call.startswith("upload")]
    assert done.verdict is not None
    assert [item.name for item, _ in done.verdict.excepted] == ["CVE-2026-1"]
    assert "put up with until 2026-07-01: no fix yet" in pushing.notes[-1]


def test_findings_are_waited_for_longer_each_time(pushing: Pushing) -> None:
    api = pushing.image("api")
    pushing.finds(api, *[Scan(ScanStatus.IN_PROGRESS)] * 3, complete())
    assert pushing.push(api)["api"].status is PushStatus.PUSHED
    assert pushing.waits_s == [1.0, 1.5, 2.25]
    assert pushing.watcher.examined == ["api"]


def test_findings_are_not_waited_for_for_ever(pushing: Pushing) -> None:
    api = pushing.image("api")
    pushing.finds(api, Scan(ScanStatus.IN_PROGRESS))
    error = pushing.push(api)["api"].error
    assert "did not come within 60 s" in str(error)
    assert sum(pushing.waits_s) <= 60
    assert max(pushing.waits_s) == 15
    assert pushing.tags() == set()


def test_a_scan_that_does_not_begin_by_itself_is_asked_for(pushing: Pushing) -> None:
    assert pushing.push(pushing.image("api"))["api"].status is PushStatus.PUSHED
    assert pushing.ecr.calls.count("start-scan team/api") == 1
    assert pushing.ecr.calls.index("start-scan team/api") > pushing.ecr.calls.index("scan team/api")


def test_where_nothing_scans_on_push_a_scan_is_asked_for_at_once(pushing: Pushing) -> None:
    pushing.ecr.repositories["team/api"] = Found(scan_on_push=False, encryption_type="AES256")
    pushing.push(pushing.image("api"))
    assert pushing.waits_s == [1.0]


def test_a_scan_that_failed_fails_the_gate(pushing: Pushing) -> None:
    api = pushing.image("api")
    pushing.finds(api, Scan(ScanStatus.FAILED, description="the scanner is ill"))
    assert "the scanner is ill" in str(pushing.push(api)["api"].error)


@pytest.mark.parametrize("is_told", [True, False])
def test_what_cannot_be_scanned_is_tagged_and_said(
    pushing: Pushing,
    is_told: bool,  # noqa: FBT001
) -> None:
    api = pushing.image("api")
    pushing.ecr.can_scan = False
    if is_told:
        pushing.finds(api, Scan(ScanStatus.UNSUPPORTED))
    done = pushing.push(api)["api"]
    assert done.status is PushStatus.PUSHED
    assert done.verdict is not None
    assert done.verdict.status is ScanStatus.UNSUPPORTED
    assert any("cannot scan" in note for note in pushing.notes)


def test_without_a_threshold_nothing_is_waited_for(pushing: Pushing) -> None:
    pushing.threshold = "none"
    pushing.finds(api := pushing.image("api"), complete(BAD))
    assert pushing.push(api)["api"].status is PushStatus.PUSHED
    assert not [call for call in pushing.ecr.calls if "scan" in call]


def test_who_may_not_read_findings_is_told_so_and_nothing_is_tagged(pushing: Pushing) -> None:
    error = NotAllowedError("not allowed: ecr:DescribeImageScanFindings")
    pushing.ecr.on = {"scan": raising(error)}
    assert pushing.push(pushing.image("api"))["api"].error is error
    assert pushing.tags() == set()


@pytest.fixture
def place() -> Repository:
    return Repository(HOST, "team/api")


def test_all_repositories_share_a_token_and_other_hosts_get_none(place: Repository) -> None:
    ecr = FakeEcr()
    login = EcrLogin(ecr, HOST, lambda _: None)
    first = login.find(place)
    assert login.find(Repository(HOST, "team/web")) == first
    assert login.find(Repository("registry.example.com", "api")) is None
    assert ecr.calls == ["authorise"]


def test_who_asks_again_gets_a_new_token_and_the_others_get_that_one(place: Repository) -> None:
    ecr, other = FakeEcr(), Repository(HOST, "team/web")
    login = EcrLogin(ecr, HOST, lambda _: None)
    first = login.find(place)
    login.find(other)
    second = login.find(place)
    assert first is not None
    assert second is not None
    assert second.secret != first.secret
    assert login.find(other) is second
    assert ecr.calls == ["authorise", "authorise"]


@dataclass
class ExpiringRegistry(TinyRegistry):
    """Takes the token of each number for some requests, and never again."""

    uses: int = 5
    taken: dict[str, int] = field(default_factory=dict)

    def check(self, header: str) -> bool:
        user, _, token = base64.b64decode(header.partition(" ")[2]).decode().partition(":")
        self.taken[token] = self.taken.get(token, 0) + 1
        return user == "AWS" and self.taken[token] <= self.uses


def test_a_token_that_runs_out_amid_a_push_is_renewed(pushing: Pushing) -> None:
    ecr, site = FakeEcr(), ExpiringRegistry(auth="basic")
    with site.running():
        login = EcrLogin(ecr, site.address, lambda _: None)
        wire = Wire(actions="pull,push", retry_s=0.0, find=login.find)
        images = [pushing.image("api"), pushing.image("web", b"other")]
        at_site = [
            OutgoingImage(
                image.name, Repository(site.address, f"team/{image.name}"), image.platforms, ("v1",)
            )
            for image in images
        ]
        registry = EcrRegistry(wire, lambda _: None, ecr, site.address)
        push = Push(registry, pushing.crew, pushing.layout.blob_path, pushing.watcher)
        done = push.run(at_site)
        wire.close()
    assert {item.status for item in done} == {PushStatus.PUSHED}
    tokens = [token for token in site.taken if token]
    assert ecr.calls.count("authorise") == len(tokens) > 2


def test_a_token_that_is_never_taken_is_an_error_and_not_asked_for_without_end(
    place: Repository,
) -> None:
    ecr, site = FakeEcr(), ExpiringRegistry(auth="basic", uses=0)
    with site.running():
        login = EcrLogin(ecr, site.address, lambda _: None)
        wire = Wire(retry_s=0.0, find=login.find)
        registry = EcrRegistry(wire, lambda _: None, ecr, site.address)
        with pytest.raises(CredentialsError) as raised:
            registry.find_manifest(Repository(site.address, place.name), "latest")
        wire.close()
    assert "token-" not in f"{raised.value} {raised.value.hint}"
    assert ecr.calls.count("authorise") <= 2


def test_a_token_is_renewed_before_it_runs_out(place: Repository) -> None:
    ecr = FakeEcr(left_s=-1e9)  # and where a clock is wrong, it is used for a while
    login = EcrLogin(ecr, HOST, lambda _: None)
    given = login.find(place)
    assert given is not None
    ecr.left_s = 1e9
    later = login.find(place)
    assert later is not None
    assert given.renew_at_s < later.renew_at_s


@pytest.mark.parametrize(("renew_at_s", "asked"), [(0.0, 2), (math.inf, 1)])
def test_credentials_that_ran_out_are_asked_for_before_they_are_refused(
    place: Repository, renew_at_s: float, asked: int
) -> None:
    found: list[Repository] = []

    def find(repository: Repository) -> Credentials:
        found.append(repository)
        return Credentials("AWS", f"token-{len(found)}", renew_at_s=renew_at_s)

    authoriser = Authoriser(find, lambda *_: (500, b""))
    first = authoriser.renew(place, (), 'Basic realm="ecr"', "")
    assert (authoriser.header(place, ()) == first) == (asked == 1)
    assert len(found) == asked


def test_tags_are_looked_up_in_one_request(place: Repository) -> None:
    ecr = FakeEcr()
    ecr.repositories["team/api"] = LIKE_WISHED
    digest = ecr.put("team/api", ["v1", "fp-1"])
    wire = Wire(find=lambda _: None)
    registry = EcrRegistry(wire, lambda _: None, ecr, HOST)
    found = registry.find_manifests(place, ("v1", "fp-1", "fp-2"))
    wire.close()
    assert found == {"v1": digest, "fp-1": digest}
    assert ecr.calls == ["find team/api"]


def test_what_is_stored_otherwise_than_sent_is_not_examined(pushing: Pushing) -> None:
    other = Manifest("application/vnd.oci.image.manifest.v1+json", b"{}")
    pushing.registry.on = {
        "read": lambda: pushing.registry.manifests.update(
            dict.fromkeys(pushing.registry.manifests, other)
        )
    }
    assert isinstance(pushing.push(pushing.image("api"))["api"].error, VerificationError)
    assert pushing.watcher.examined == []
