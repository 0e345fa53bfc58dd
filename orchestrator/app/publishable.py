"""What of a workspace can be published: images that are up to date, and the tags they get."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.app.opened import Opened
from orchestrator.app.planning import BuildOptions, Planned, default_platform, plan
from orchestrator.app.tag_values import TagValues, templates_of
from orchestrator.errors import WorkspaceError
from orchestrator.fingerprint import Fingerprint, Input
from orchestrator.model import Platform
from orchestrator.oci.image import MANIFEST_MEDIA_TYPE, make_index
from orchestrator.oci.layout import Layout
from orchestrator.plan import Action, Step
from orchestrator.publish.outgoing import OutgoingImage, PlatformImage
from orchestrator.publish.reference import Namespace
from orchestrator.publish.registry import BlobInfo, Manifest
from orchestrator.select import Selection
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
    layout = Layout(opened.paths.layout)
    names = layout.names()
    plans = _plans(opened, selection, {key for named in names.values() for key in named})
    first, planned = next(iter(plans.items()))
    steps: dict[str, dict[Platform, Step]] = {}
    unavailable: dict[str, str] = {}
    stale: list[str] = []
    for name in planned.wanted:
        for platform in [p for p in plans if p.key in names.get(name, {})] or [first]:
            step = plans[platform].plan.steps[name]
            if why := _why_not(layout, step):
                unavailable[name] = why
            elif step.action is Action.BUILD:
                stale.append(f"{name} ({platform}: {step.reasons[0]})")
            else:
                steps.setdefault(name, {})[platform] = step
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


def _why_not(layout: Layout, step: Step) -> str:
    if step.action is Action.UNAVAILABLE:
        return step.unavailable
    in_docker = step.image.build is not None and not layout.has_image(step.digest)
    if in_docker and step.action is Action.REUSE:
        return (
            "it lies in Docker, and what is pushed lies in the layout: build it with --builder, "
            "or use docker push"
        )
    return ""


class Publishables:
    """Makes what is to be published of what is in the layout."""

    def __init__(
        self,
        opened: Opened,
        namespace: Namespace,
        tags: tuple[str, ...],
        now: datetime,
        notes: list[str],
    ) -> None:
        self._opened, self._namespace = opened, namespace
        self._tags = tags
        self._values = TagValues(opened.paths.root, now, notes)
        self._layout = Layout(opened.paths.layout)

    def image(self, name: str, steps: Mapping[Platform, Step]) -> OutgoingImage:
        """Return an image with its manifests, its tags and where its blobs may lie already.

        Raises:
            WorkspaceError: A tag wants something that there is not.
        """
        images = tuple(self._platform(step) for step in steps.values())
        index = None
        if len(images) > 1:
            blob = make_index({image.platform.key: _descriptor(image) for image in images})
            index = Manifest(blob.media_type, blob.data)
        above = reversed(self._opened.graph.ancestors([name]))
        return OutgoingImage(
            name,
            self._namespace.repository(name),
            images,
            self._values.expand(
                self._tags or templates_of(self._opened.workspace.settings, name),
                lambda: _joint_fingerprint(images),
            ),
            tuple(content_tag(image.fingerprint) for image in images),
            index,
            tuple(self._namespace.repository(other) for other in above if other != name),
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
