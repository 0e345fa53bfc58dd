"""What can be told of an image of the layout: what it consists of, and where it is from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from orchestrator.app.opened import Opened, read_lock
from orchestrator.app.publishable import collect
from orchestrator.attest.bill import Bill, Distribution, ExternalBase, Package, Tier, with_found
from orchestrator.attest.found import LayerReader
from orchestrator.attest.provenance import (
    IndexOrigin,
    Member,
    Origin,
    Source,
    make_index_provenance,
    make_provenance,
)
from orchestrator.attest.sbom import make_sbom
from orchestrator.errors import UnavailableError, WorkspaceError
from orchestrator.externals import pins_of
from orchestrator.git import commit_annotations, is_dirty, without_credentials
from orchestrator.graph import DEBIAN_PREFIX
from orchestrator.lockfile import Lock
from orchestrator.model import Platform
from orchestrator.oci.layout import Layout
from orchestrator.plan import Step
from orchestrator.select import Selection
from orchestrator.state import State

_UNREAD = (
    "its packages of dpkg and of Python were read from its layers; nothing tells what else is there"
)


@dataclass(frozen=True)
class Told:
    """Makes documents about images; what several need is read once."""

    opened: Opened
    _layers: LayerReader = field(default_factory=LayerReader)

    def sbom(self, name: str, platform: Platform, digest: str) -> bytes:
        """Return an image's bill of materials, given the digest of its manifest.

        Raises:
            LockError: The lock does not know the image.
        """
        return make_sbom(self._bill(name, platform, digest))

    def provenance(self, step: Step, subject: str, digest: str) -> bytes:
        """Return where an image is from that is published as `subject`.

        Raises:
            LockError: The lock does not know the image.
        """
        image = step.image
        arguments = {
            item.subject: item.value
            for item in step.fingerprint.inputs
            if item.kind == "argument" and item.subject != "--target"
        }
        origin = Origin(
            subject,
            image.definition.value,
            str(image.file),
            step.fingerprint.digest,
            self._source,
            image.build.settings.target if image.build else "",
            arguments,
            dict(self._parents(image.name, step.platform)),
            self.opened.workspace.settings.attest.builder,
        )
        return make_provenance(self._bill(image.name, step.platform, digest), origin)

    def index_provenance(
        self, name: str, subject: str, digest: str, members: Sequence[Member]
    ) -> bytes:
        """Return what an index is put together from that is published as `subject`."""
        builder = self.opened.workspace.settings.attest.builder
        return make_index_provenance(
            digest, IndexOrigin(subject, name, members, self._source, builder)
        )

    @cached_property
    def _lock(self) -> Lock:
        return read_lock(self.opened)

    @cached_property
    def _layout(self) -> Layout:
        return Layout(self.opened.paths.layout)

    @cached_property
    def _source(self) -> Source:
        root, uri = self.opened.paths.root, self.opened.workspace.settings.source
        commit = commit_annotations(root).get("org.opencontainers.image.revision", "")
        return Source(commit, bool(commit) and is_dirty(root), without_credentials(uri))

    def _parents(self, name: str, platform: Platform) -> Iterator[tuple[str, str]]:
        records = State(self.opened.paths.database).read(platform.key)
        for parent in self.opened.graph.parents[name]:
            record = records.get(parent)
            if record and self._layout.blob_path(record.digest).is_file():
                yield parent, record.digest

    def _bill(self, name: str, platform: Platform, digest: str) -> Bill:
        graph = self.opened.graph
        chain = [name]
        while below := graph.below.get(chain[0]):
            chain.insert(0, below)
        tiers = tuple(self._tier(each, platform) for each in chain)
        bases = tuple(dict.fromkeys(self._bases(name)))
        bill = Bill(name, platform, digest, tiers, bases)
        dockerfiles = [each for each in chain if graph.images[each].build]
        root = graph.images[chain[0]]
        if not dockerfiles and root.parent.startswith(DEBIAN_PREFIX):
            return bill
        return self._read(bill, (dockerfiles or chain[:1])[-1])

    def _read(self, bill: Bill, unknown: str) -> Bill:
        """Complete a bill by what the image's layers hold; that is brought by image `unknown`."""
        layers = [item["digest"] for item in self._layout.read_json(bill.digest)["layers"]]
        found = self._layers.find(map(self._layout.blob_path, layers))
        hashes = {
            package.identity: package
            for each in self.opened.graph.ancestors([bill.image])
            for package in self._locked(each, bill.platform)
        }
        is_whole = not found.unread
        return replace(
            bill,
            tiers=with_found(bill.tiers, unknown, found.packages, hashes, is_whole=is_whole),
            unread=_UNREAD if is_whole else f"{_UNREAD}; layers not to be had: {found.unread}",
        )

    def _tier(self, name: str, platform: Platform) -> Tier:
        image = self.opened.graph.images[name]
        if image.build is not None:  # the lock says what it may install, not what it does
            return Tier(name)
        return Tier(name, tuple(self._locked(name, platform)), image.recipe.fetches)

    def _locked(self, name: str, platform: Platform) -> Iterator[Package]:
        if self.opened.graph.images[name].is_locked:
            adds = self._lock.image(name, platform)
            debian = Distribution("debian", self._lock.suite)
            yield from (Package.of_deb(deb, debian) for deb in adds.debs)
            yield from (Package.of_wheel(wheel) for wheel in adds.wheels)

    def _bases(self, name: str) -> Iterator[ExternalBase]:
        graph = self.opened.graph
        for each in graph.ancestors([name]):
            pins = pins_of(graph, self._lock.externals, each)
            for written in graph.external[each]:
                reference, _, digest = written.partition("@")
                is_suite = not graph.images[each].build and written.startswith(DEBIAN_PREFIX)
                if not is_suite:
                    yield ExternalBase(reference, digest or pins.get(written, ""))


def sbom_of(opened: Opened, name: str, platform: Platform | None) -> bytes:
    """Return the bill of materials of an image that is up to date, as it would be published.

    Raises:
        WorkspaceError: There is no such image, or it is not up to date or not there so.
        UnavailableError: It cannot be made on this machine.
    """
    collected = collect(opened, Selection(names=(name,)))
    if reason := collected.unavailable.get(name):
        raise UnavailableError(
            f"{name} is unavailable: {reason}", hint="orch doctor shows what this machine lacks"
        )
    steps = collected.steps[name]
    step = steps.get(platform) if platform else next(iter(steps.values()))
    if step is None:
        raise WorkspaceError(
            f"{name} was not built for {platform}",
            hint=f"it was for {', '.join(str(one) for one in steps)}; "
            f"or run: orch build --platform {platform} {name}",
        )
    return Told(opened).sbom(name, step.platform, step.digest)
