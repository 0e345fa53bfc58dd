"""A push sends each blob once, tags last, and tells the truth about what it did."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.model import Platform
from orchestrator.oci.image import make_index
from orchestrator.oci.layout import Layout
from orchestrator.publish.crew import Crew
from orchestrator.publish.outgoing import (
    OutgoingImage,
    PlatformImage,
    Pushed,
    PushStatus,
    TagStatus,
    Transfer,
)
from orchestrator.publish.promote import Promoted, promote
from orchestrator.publish.push import Push
from orchestrator.publish.reference import Repository
from orchestrator.publish.registry import (
    BlobInfo,
    CredentialsError,
    Manifest,
    RefusedError,
    RegistryError,
    TagTakenError,
    VerificationError,
)
from tests.fakes import FakeRegistry
from tests.images import AMD64, ARM64, add_image

HOST = "registry.example.com"


def place(name: str) -> Repository:
    return Repository(HOST, f"team/{name}")


class Watcher:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.upload_bytes = -1
        self.statuses: list[str] = []

    def surveyed(self, images: int, upload_bytes: int) -> None:
        self.upload_bytes = upload_bytes

    def sent(self, size_bytes: int) -> None:
        raise AssertionError("a fake sends nothing")

    def examining(self, image: OutgoingImage) -> None:
        self.statuses.append(f"examining {image.name}")

    def finished(self, pushed: Pushed) -> None:
        self.statuses.append(f"{pushed.status.value} {pushed.image.name}")


class Pushing:
    """A layout, a registry and the images that are put from the one into the other."""

    def __init__(self, folder: Path, crew: Crew) -> None:
        self.layout = Layout(folder / "layout")
        self.registry = FakeRegistry()
        self.crew = crew
        self.watcher = Watcher()

    def image(
        self,
        name: str,
        *contents: bytes,
        platforms: tuple[Platform, ...] = (AMD64,),
        tags: tuple[str, ...] = ("latest",),
        sources: tuple[str, ...] = (),
    ) -> OutgoingImage:
        made = tuple(self._platform(contents or (b"a layer",), item) for item in platforms)
        index = None
        if len(made) > 1:
            blob = make_index(
                {item.platform.key: {"digest": item.manifest.digest} for item in made}
            )
            index = Manifest(blob.media_type, blob.data)
        content = tuple(f"fp-{item.platform.architecture}" for item in made)
        others = tuple(place(source) for source in sources)
        return OutgoingImage(name, place(name), made, tags, content, index, others)

    def _platform(self, contents: tuple[bytes, ...], platform: Platform) -> PlatformImage:
        built = add_image(self.layout, b"".join(contents), platform)
        document = self.layout.read_json(built.digest)
        blobs = [
            BlobInfo(i["digest"], i["size"]) for i in (document["config"], *document["layers"])
        ]
        manifest = Manifest(built.manifest.media_type, built.manifest.data)
        return PlatformImage(platform, "f" * 64, manifest, tuple(sorted(blobs)))

    def push(self, *images: OutgoingImage, dry_run: bool = False) -> dict[str, Pushed]:
        self.registry.calls.clear()
        push = Push(self.registry, self.crew, self.layout.blob_path, self.watcher)
        return {item.image.name: item for item in push.run(images, dry_run=dry_run)}

    def calls(self, verb: str) -> list[str]:
        return [call for call in self.registry.calls if call.startswith(f"{verb} ")]


@pytest.fixture
def crew() -> Iterator[Crew]:
    crew = Crew(4, lambda: None)
    yield crew
    crew.close()


@pytest.fixture
def pushing(tmp_path: Path, crew: Crew) -> Pushing:
    return Pushing(tmp_path, crew)


def tag_writes(pushing: Pushing) -> list[str]:
    return [call for call in pushing.calls("write") if "sha256:" not in call]


def fails(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_a_push_leaves_the_image_under_its_tags(pushing: Pushing) -> None:
    image = pushing.image("api", tags=("latest", "v1"))
    pushed = pushing.push(image)["api"]
    assert pushed.status is PushStatus.PUSHED
    assert pushed.digest == image.top.digest
    assert pushing.registry.tags(place("api")) == ("fp-amd64", "latest", "v1")
    assert pushing.registry.read_manifest(place("api"), "v1") == image.top


def test_a_blob_is_uploaded_once_however_many_images_share_it(pushing: Pushing) -> None:
    images = [pushing.image(f"service-{number}") for number in range(12)]
    done = pushing.push(*images)
    uploads = pushing.calls("upload")
    assert len({call.rpartition(" ")[2] for call in uploads}) == len(uploads)
    layer = max(images[0].blobs, key=lambda blob: blob.digest)
    ways = [done[image.name].blobs[layer] for image in images]
    assert ways.count(Transfer.UPLOADED) == 1
    assert ways.count(Transfer.MOUNTED) == 11
    sent = sum(item.bytes_of(Transfer.UPLOADED) for item in done.values())
    assert pushing.watcher.upload_bytes == sent


def test_where_mounting_fails_the_blob_is_uploaded(pushing: Pushing) -> None:
    pushing.registry.mounts = False
    done = pushing.push(pushing.image("api"), pushing.image("web"))
    assert {item.status for item in done.values()} == {PushStatus.PUSHED}
    assert all(item.count_of(Transfer.UPLOADED) == 2 for item in done.values())


def test_a_mount_that_is_refused_becomes_an_upload(pushing: Pushing) -> None:
    pushing.registry.on = {"mount ": fails(CredentialsError("no"))}
    done = pushing.push(pushing.image("api"), pushing.image("web"))
    assert {item.status for item in done.values()} == {PushStatus.PUSHED}


def test_pushing_again_sends_nothing_and_asks_for_tags_alone(pushing: Pushing) -> None:
    image = pushing.image("api")
    pushing.push(image)
    pushed = pushing.push(image)["api"]
    assert pushed.status is PushStatus.UNCHANGED
    assert pushed.digest == image.top.digest
    assert set(pushed.tags.values()) == {TagStatus.UNCHANGED}
    assert pushing.registry.calls == ["find team/api fp-amd64", "find team/api latest"] or (
        pushing.registry.calls == ["find team/api latest", "find team/api fp-amd64"]
    )
    assert pushed.bytes_of(Transfer.SKIPPED) == sum(blob.size_bytes for blob in image.blobs)


def test_a_new_tag_for_what_is_there_sends_no_blob(pushing: Pushing) -> None:
    pushing.push(pushing.image("api"))
    pushed = pushing.push(pushing.image("api", tags=("v2",)))["api"]
    assert pushed.status is PushStatus.PUSHED
    assert not pushing.calls("has")
    assert not pushing.calls("upload")
    assert tag_writes(pushing) == ["write team/api v2"]


def test_blobs_of_an_image_that_is_not_pushed_along_are_mounted(pushing: Pushing) -> None:
    pushing.push(pushing.image("base"))
    pushed = pushing.push(pushing.image("api", sources=("base",)))["api"]
    assert pushed.count_of(Transfer.MOUNTED) == len(pushed.blobs)
    assert not pushing.calls("upload")


def test_blobs_of_an_image_that_is_there_already_are_mounted(pushing: Pushing) -> None:
    base, api = pushing.image("base"), pushing.image("api")
    pushing.push(base)
    done = pushing.push(base, api)
    assert done["base"].status is PushStatus.UNCHANGED
    assert done["api"].count_of(Transfer.MOUNTED) == len(api.blobs)
    assert not pushing.calls("upload")


def test_a_source_that_may_not_be_read_is_passed_over(pushing: Pushing) -> None:
    pushing.registry.on = {"has team/base": fails(CredentialsError("no"))}
    pushed = pushing.push(pushing.image("api", sources=("base",)))["api"]
    assert pushed.status is PushStatus.PUSHED


def test_no_tag_is_written_before_every_manifest_was_read_back(pushing: Pushing) -> None:
    images = [pushing.image(name, name.encode()) for name in ("api", "web", "job")]
    pushing.push(*images)
    calls = pushing.registry.calls
    first_tag = calls.index(tag_writes(pushing)[0])
    for image in images:
        assert f"read team/{image.name} {image.top.digest}" in calls[:first_tag]


@pytest.mark.parametrize(
    "verb", ["upload team/web", "write team/web sha256", "read team/web sha256"]
)
def test_nothing_is_tagged_where_one_image_fails(pushing: Pushing, verb: str) -> None:
    pushing.registry.on = {verb: fails(RegistryError("broken"))}
    done = pushing.push(*(pushing.image(name, name.encode()) for name in ("api", "web")))
    assert done["web"].status is PushStatus.FAILED
    assert str(done["web"].error) == "broken"
    assert done["api"].status is PushStatus.CANCELLED
    assert not tag_writes(pushing)
    assert pushing.watcher.statuses == ["cancelled api", "failed web"]


def test_an_image_that_is_there_already_stays_unchanged_when_another_fails(
    pushing: Pushing,
) -> None:
    api = pushing.image("api")
    pushing.push(api)
    pushing.registry.on = {"upload team/web": fails(RegistryError("broken"))}
    done = pushing.push(api, pushing.image("web", b"other"))
    assert done["api"].status is PushStatus.UNCHANGED
    assert done["api"].digest == api.top.digest
    assert done["web"].digest == ""
    assert set(done["web"].tags.values()) == {TagStatus.UNTOUCHED}


def test_a_blob_whose_source_is_gone_is_still_uploaded_once(pushing: Pushing) -> None:
    pushing.push(pushing.image("base"))
    names = ("api", "job", "web")
    images = [pushing.image(name, sources=("base",)) for name in names]
    layer = max(images[0].blobs, key=lambda blob: blob.size_bytes)
    key = (place("base"), layer.digest)

    def lose() -> None:
        pushing.registry.blobs.pop(key, None)

    pushing.registry.on = {"mount team/api": lose}
    done = pushing.push(*images)
    uploads = [call for call in pushing.calls("upload") if layer.digest in call]
    assert {item.status for item in done.values()} == {PushStatus.PUSHED}
    assert len(uploads) == 1


def test_a_failure_stops_what_has_not_begun(tmp_path: Path) -> None:
    crew = Crew(1, lambda: None)
    pushing = Pushing(tmp_path, crew)
    pushing.registry.on = {"upload": fails(RegistryError("broken"))}
    pushing.push(*(pushing.image(name, name.encode()) for name in ("api", "web", "job")))
    assert len(pushing.calls("upload")) == 1
    crew.close()


def test_what_failed_once_is_carried_on(pushing: Pushing) -> None:
    images = [pushing.image(name, name.encode()) for name in ("api", "web")]
    pushing.registry.on = {"write team/web": fails(RegistryError("broken"))}
    pushing.push(*images)
    pushing.registry.on = {}
    done = pushing.push(*images)
    assert {item.status for item in done.values()} == {PushStatus.PUSHED}
    assert not pushing.calls("upload")


def test_a_registry_that_keeps_something_else_is_found_out(pushing: Pushing) -> None:
    image, other = pushing.image("api"), pushing.image("web", b"other")
    pushing.registry.on = {
        f"read team/api {image.top.digest}": lambda: pushing.registry.manifests.update(
            {(place("api"), image.top.digest): other.top}
        )
    }
    pushed = pushing.push(image)["api"]
    assert isinstance(pushed.error, VerificationError)
    assert other.top.digest in str(pushed.error)
    assert not tag_writes(pushing)


def test_an_immutable_tag_with_the_same_image_is_fine(pushing: Pushing) -> None:
    pushing.registry.immutable = True
    image = pushing.image("api")
    pushing.push(image)
    assert pushing.push(image)["api"].status is PushStatus.UNCHANGED


def test_an_immutable_tag_with_another_image_is_an_error_with_both_digests(
    pushing: Pushing,
) -> None:
    pushing.registry.immutable = True
    old, new = (
        pushing.image("api", b"old", tags=("v1",)),
        pushing.image("api", b"new", tags=("v1",)),
    )
    pushing.push(old)
    pushing.registry.named.pop((place("api"), "fp-amd64"))
    pushed = pushing.push(new, pushing.image("web"))
    error = pushed["api"].error
    assert isinstance(error, TagTakenError)
    assert old.top.digest in str(error)
    assert new.top.digest in str(error)
    assert "--tag" in error.hint
    assert pushed["web"].status is PushStatus.PUSHED, "other tags still move"
    assert pushing.registry.find_manifest(place("api"), "v1") == old.top.digest


def test_an_immutable_tag_that_somebody_else_set_meanwhile_is_fine(pushing: Pushing) -> None:
    image = pushing.image("api")
    pushing.registry.immutable = True

    def somebody_else() -> None:
        pushing.registry.named[place("api"), "latest"] = image.top.digest
        raise RefusedError("taken", status=409, codes=("CONFLICT",), hint="")

    pushing.registry.on = {"write team/api latest": somebody_else}
    assert pushing.push(image)["api"].error is None


def test_several_platforms_become_an_index(pushing: Pushing) -> None:
    image = pushing.image("api", platforms=(AMD64, ARM64))
    pushed = pushing.push(image)["api"]
    assert image.index is not None
    assert pushed.digest == image.index.digest
    registry = pushing.registry
    assert registry.find_manifest(place("api"), "latest") == image.index.digest
    for item in image.platforms:
        tag = f"fp-{item.platform.architecture}"
        assert registry.find_manifest(place("api"), tag) == item.manifest.digest


def test_a_single_platform_keeps_its_manifests_digest(pushing: Pushing) -> None:
    one = pushing.image("api")
    both = pushing.image("api", platforms=(AMD64, ARM64))
    assert one.top.digest == one.platforms[0].manifest.digest == both.platforms[0].manifest.digest


def test_a_dry_run_writes_nothing_and_says_what_would_be_sent(pushing: Pushing) -> None:
    image = pushing.image("api")
    pushed = pushing.push(image, dry_run=True)["api"]
    assert pushed.status is PushStatus.PLANNED
    assert pushed.bytes_of(Transfer.UPLOADED) == sum(blob.size_bytes for blob in image.blobs)
    assert {call.partition(" ")[0] for call in pushing.registry.calls} == {"find", "has"}
    pushing.push(image)
    assert pushing.push(image, dry_run=True)["api"].status is PushStatus.UNCHANGED


def test_two_pushes_of_overlapping_images_at_once_are_both_right(
    pushing: Pushing, tmp_path: Path
) -> None:
    images = [pushing.image(name, b"shared") for name in ("a", "b", "c")]
    meeting = threading.Barrier(2, timeout=30)
    met: set[int] = set()

    def meet() -> None:
        if threading.get_ident() not in met and len(met) < 2:
            met.add(threading.get_ident())
            meeting.wait()

    pushing.registry.on = {"upload": meet}
    results: list[dict[str, Pushed]] = []

    def run(part: list[OutgoingImage]) -> None:
        crew = Crew(1, lambda: None)
        push = Push(pushing.registry, crew, pushing.layout.blob_path, Watcher())
        results.append({item.image.name: item for item in push.run(part)})
        crew.close()

    threads = [threading.Thread(target=run, args=(part,)) for part in (images[:2], images[1:])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [item.error for result in results for item in result.values()] == [None] * 4
    for image in images:
        assert pushing.registry.find_manifest(place(image.name), "latest") == image.top.digest


def promoted(pushing: Pushing, old: str, new: str, *names: str) -> dict[str, Promoted]:
    pushing.registry.calls.clear()
    done = promote(pushing.registry, pushing.crew, {name: place(name) for name in names}, old, new)
    return {item.name: item for item in done}


def test_promoting_retags_without_pulling(pushing: Pushing) -> None:
    image = pushing.image("api", tags=("staging",))
    pushing.push(image)
    done = promoted(pushing, "staging", "live", "api")
    assert done["api"].status is TagStatus.MOVED
    assert done["api"].digest == image.top.digest
    assert pushing.registry.find_manifest(place("api"), "live") == image.top.digest
    assert not any(call.startswith(("fetch", "upload", "has")) for call in pushing.registry.calls)


def test_promoting_again_moves_nothing(pushing: Pushing) -> None:
    pushing.push(pushing.image("api", tags=("staging",)))
    promoted(pushing, "staging", "live", "api")
    assert promoted(pushing, "staging", "live", "api")["api"].status is TagStatus.UNCHANGED


def test_an_image_without_the_tag_is_left_out(pushing: Pushing) -> None:
    pushing.push(pushing.image("api", tags=("staging",)))
    done = promoted(pushing, "staging", "live", "api", "web")
    assert done["web"].is_missing
    assert done["api"].status is TagStatus.MOVED


def test_nothing_is_promoted_where_one_image_cannot_be_read(pushing: Pushing) -> None:
    for name in ("api", "web"):
        pushing.push(pushing.image(name, tags=("staging",)))
    pushing.registry.on = {"read team/web": fails(RegistryError("broken"))}
    done = promoted(pushing, "staging", "live", "api", "web")
    assert str(done["web"].error) == "broken"
    assert done["api"].status is TagStatus.UNTOUCHED
    assert not pushing.calls("write")
