"""What of a workspace can be published: images that are up to date, and the tags they get."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.app.opened import Opened
from orchestrator.app.planning import BuildOptions, Planned, default_platform, plan
from orchestrator.app.remote import RemoteLayers
from orchestrator.app.tag_values import TagValues, templates_of
from orchestrator.errors import WorkspaceError
from orchestrator.fingerprint import Fingerprint, Input
from orchestrator.model import Platform
from orchestrator.oci.image import MANIFEST_MEDIA_TYPE, make_index
from orchestrator.plan import Action, Step
from orchestrator.publish.outgoing import OutgoingImage, PlatformImage
from orchestrator.publish.reference import Namespace, Reference
from orchestrator.publish.registry import BlobInfo, Manifest
from orchestrator.select import Selection
from orchestrator.state import State
from orchestrator.tagging import content_tag

_STALE_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Collected:
    """Steps by image and platform, and why other images are unavailable."""

    steps: Mapping[str, Mapping[Platform, Step]]
    unavailable: Mapping[str, str]
    notes: tuple[str, ...]


def collect(opened: Opened, selection: Selection) -> Collected:
    """Find the selected images that are up to date, on each platform that the layout has.

    Raises:
        WorkspaceError: An image is not up to date.
    """
    docker = _InDocker(opened)
    built = RemoteLayers(opened).layout.names()
    names = _platforms_of(opened)
    plans = _plans(opened, selection, {key for named in names.values() for key in named})
    first, planned = next(iter(plans.items()))
    steps: dict[str, dict[Platform, Step]] = {}
    unavailable: dict[str, str] = {}
    stale: list[str] = []
    for name in planned.wanted:
        for platform in _chosen(name, plans, names, built) or [first]:
            step = plans[platform].plan.steps[name]
            if step.action is Action.UNAVAILABLE:
                unavailable[name] = step.unavailable
            elif step.action is Action.BUILD:
                stale.append(f"{name} ({platform}: {step.reasons[0]})")
            else:
                steps.setdefault(name, {})[platform] = docker.to_layout(step)
    if stale:
        more = len(stale) - _STALE_SHOWN
        shown = ", ".join(stale[:_STALE_SHOWN]) + (f", and {more} more" if more > 0 else "")
        raise WorkspaceError(f"not up to date: {shown}", hint="run: orch build")
    kept = {name: found for name, found in steps.items() if name not in unavailable}
    return Collected(kept, unavailable, planned.notes)


def _plans(opened: Opened, selection: Selection, built: Iterable[str]) -> dict[Platform, Planned]:
    """Plan for this machine's platform, and for the others that something was built for."""
    chosen = replace(selection, changed=False)  # what changed is what the registry lacks
    first = default_platform(opened)
    plans = {first: plan(opened, BuildOptions(first, chosen))}
    everything = Selection(names=plans[first].wanted)
    others = [p for p in opened.workspace.settings.platforms if p != first and p.key in set(built)]
    if plans[first].wanted:
        plans |= {other: plan(opened, BuildOptions(other, everything)) for other in others}
    return plans


def _chosen(
    name: str,
    plans: Mapping[Platform, Planned],
    names: Mapping[str, Collection[str]],
    built: Mapping[str, Collection[str]],
) -> list[Platform]:
    """Return an image's platforms; not those that only a registry had, and has no more so."""
    return [
        platform
        for platform, planned in plans.items()
        if platform.key in names.get(name, ())
        and (
            platform.key in built.get(name, ())
            or planned.plan.steps[name].action is not Action.BUILD
        )
    ]


def _platforms_of(opened: Opened) -> dict[str, set[str]]:
    """Return the platforms that each image was built for, or found in a registry."""
    remote = RemoteLayers(opened)
    found = {name: set(named) for name, named in remote.layout.names().items()}
    state = State(opened.paths.database)
    for platform in opened.workspace.settings.platforms:
        for name, record in state.read(platform.key).items():
            if remote.elsewhere.lacking(record.digest):
                found.setdefault(name, set()).add(platform.key)
    return found


class _InDocker:
    """Images that only Docker has, brought into the layout; Docker is asked when one is."""

    def __init__(self, opened: Opened) -> None:
        remote = RemoteLayers(opened)
        self._layout, self._elsewhere = remote.layout, remote.elsewhere

    def to_layout(self, step: Step) -> Step:
        """Return the step with the digest of its image in the layout.

        Raises:
            OrchError: Docker does not answer, or has lost the image.
        """
        if step.image.build is None or self._elsewhere.covers(step.digest):
            return step
        from orchestrator.engines.docker.engine import DockerEngine  # noqa: PLC0415 - slow
        from orchestrator.engines.docker.exchange import Exchange  # noqa: PLC0415 - likewise

        with closing(DockerEngine()) as engine:
            digest = Exchange(engine, self._layout).to_layout(step.image.name, step.digest)
        return replace(step, digest=digest)


class Publishables:
    """Makes what is to be published of what is in the layout."""

    def __init__(
        self,
        opened: Opened,
        namespace: Namespace,
        tags: tuple[str, ...] | None,
        now: datetime,
        notes: list[str],
    ) -> None:
        self._opened, self._namespace = opened, namespace
        self._tags = tags
        self._values = TagValues(opened.paths.root, now, notes)
        self._remote = RemoteLayers(opened)
        self._layout = self._remote.layout

    def image(self, name: str, steps: Mapping[Platform, Step]) -> OutgoingImage:
        """Return an image with its manifests, its tags and where its blobs may lie already.

        Raises:
            WorkspaceError: A tag wants something that there is not.
        """
        images = tuple(self._platform(step) for step in steps.values())
        tags = self._values.expand(
            templates_of(self._opened.workspace.settings, name)
            if self._tags is None
            else self._tags,
            lambda: _joint_fingerprint(images),
        )
        index = None
        if len(images) > 1 and tags:  # tags of content name the image of each platform
            blob = make_index({image.platform.key: _descriptor(image) for image in images})
            index = Manifest(blob.media_type, blob.data)
        above = reversed(self._opened.graph.ancestors([name]))
        sources = [self._namespace.repository(other) for other in above if other != name]
        blobs = {blob.digest for image in images for blob in image.blobs}
        places = {self._remote.elsewhere.place(digest) for digest in sorted(blobs)} - {""}
        sources += [Reference.parse(place).repository for place in sorted(places)]
        return OutgoingImage(
            name,
            self._namespace.repository(name),
            images,
            tags,
            tuple(content_tag(image.fingerprint) for image in images),
            index,
            tuple(dict.fromkeys(sources)),
        )

    def _platform(self, step: Step) -> PlatformImage:
        data = self._layout.blob_path(step.digest).read_bytes()
        manifest = self._layout.read_json(step.digest)
        blobs = {
            BlobInfo(item["digest"], item["size"])
            for item in (manifest["config"], *manifest["layers"])
        }
        media_type = manifest.get("mediaType", MANIFEST_MEDIA_TYPE)
        return PlatformImage(
            step.platform,
            step.fingerprint.digest,
            Manifest(media_type, data),
            tuple(sorted(blobs)),
        )


def _descriptor(image: PlatformImage) -> dict[str, object]:
    return {
        "mediaType": image.manifest.media_type,
        "digest": image.manifest.digest,
        "size": len(image.manifest.data),
        "platform": {"architecture": image.platform.architecture, "os": image.platform.os},
    }


def _joint_fingerprint(images: tuple[PlatformImage, ...]) -> str:
    """Return the fingerprint of an image, or one of those of all its platforms."""
    if len(images) == 1:
        return images[0].fingerprint
    return Fingerprint.of(
        Input("platform", image.platform.key, image.fingerprint) for image in images
    ).digest
