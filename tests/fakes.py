"""Stand-ins for the scheduler's neighbours, written by hand."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.levels import LevelError, Sink
from orchestrator.plan import Step
from orchestrator.ports import Made, Outcome
from orchestrator.publish.reference import Repository
from orchestrator.publish.registry import (
    BlobInfo,
    Manifest,
    NotPublishedError,
    Referrer,
    RefusedError,
    RegistryError,
)
from tests.registries import referrer_rows


@dataclass
class FakeEngine:
    """Makes an image of any step; `on` says what else happens while one is built, by name.

    What `on` raises is the build's failure. `built` has the names in the order they began,
    `parents` what each was given, `most_at_once` how many were being built at the same
    time; `stopped` is set when it was told to stop.
    """

    on: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    built: list[str] = field(default_factory=list)
    parents: dict[str, dict[str, str]] = field(default_factory=dict)
    most_at_once: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def build(self, step: Step, parents: Mapping[str, str]) -> Made:
        name = step.image.name
        with self._lock:
            self.built.append(name)
            self.parents[name] = dict(parents)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            self.on.get(name, lambda: None)()
        finally:
            with self._lock:
                self._at_once -= 1
        return Made(f"sha256:{name}", 100, 200)

    def stop(self) -> None:
        self.stopped.set()


@dataclass
class FakeObserver:
    """Remembers what it was told, as `started NAME` and `STATUS NAME`."""

    events: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def planned(self, steps: int) -> None:
        self._add(f"planned {steps}")

    def started(self, step: Step) -> None:
        self._add(f"started {step.image.name}")

    def fetched(self, size_bytes: int) -> None:
        self._add(f"fetched {size_bytes}")

    def finished(self, outcome: Outcome) -> None:
        self._add(f"{outcome.status.value} {outcome.step.image.name}")

    def _add(self, event: str) -> None:
        with self._lock:
            self.events.append(event)


@dataclass
class FakeLevel:
    """Keeps files in memory; `error` is raised by whatever is asked. `asked` has what was."""

    name: str = "s3://fake"
    is_local: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    error: LevelError | None = None
    asked: list[str] = field(default_factory=list)

    def fetch(self, sha256: str, into: Sink) -> bool:
        self._answer(sha256)
        if sha256 not in self.files:
            return False
        for start in range(0, len(self.files[sha256]), 1000):
            into.write(self.files[sha256][start : start + 1000])
        return True

    def sizes(self, sha256s: Collection[str]) -> dict[str, int]:
        self._answer(*sha256s)
        return {key: len(self.files[key]) for key in sha256s if key in self.files}

    def put(self, sha256: str, file: Path, name: str) -> None:
        self._answer(sha256)
        self.files[sha256] = file.read_bytes()

    def _answer(self, *sha256s: str) -> None:
        self.asked += sha256s
        if self.error is not None:
            raise self.error


@dataclass
class FakeRegistry:
    """A registry in memory; `calls` has each call as `VERB REPOSITORY WHAT`.

    `on` says what else happens at a call, by its beginning; what it raises is the call's
    failure. Tags are immutable where `immutable` says so; `mounts` may be switched off, and so may
    the lists of what refers to a manifest.
    """

    on: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    immutable: bool = False
    mounts: bool = True
    lists_referrers: bool = True
    calls: list[str] = field(default_factory=list)
    blobs: dict[tuple[Repository, str], bytes] = field(default_factory=dict)
    manifests: dict[tuple[Repository, str], Manifest] = field(default_factory=dict)
    named: dict[tuple[Repository, str], str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find_manifest(self, repository: Repository, pointer: str) -> str | None:
        self._call("find", repository, pointer)
        digest = pointer if ":" in pointer else self.named.get((repository, pointer), "")
        return digest if (repository, digest) in self.manifests else None

    def find_manifests(self, repository: Repository, pointers: Sequence[str]) -> dict[str, str]:
        found = {pointer: self.find_manifest(repository, pointer) for pointer in pointers}
        return {pointer: digest for pointer, digest in found.items() if digest}

    def read_manifest(self, repository: Repository, pointer: str) -> Manifest:
        self._call("read", repository, pointer)
        digest = pointer if ":" in pointer else self.named.get((repository, pointer), "")
        if (repository, digest) not in self.manifests:
            raise NotPublishedError(f"{repository} has no {pointer}")
        return self.manifests[repository, digest]

    def write_manifest(self, repository: Repository, pointer: str, manifest: Manifest) -> None:
        self._call("write", repository, pointer)
        document = json.loads(manifest.data)
        inner = [document["config"], *document["layers"]] if "config" in document else []
        whole = all((repository, item["digest"]) in self.blobs for item in inner)
        parts = [(repository, item["digest"]) for item in document.get("manifests", ())]
        if not whole or any(part not in self.manifests for part in parts):
            raise RefusedError("lacks", status=404, codes=("MANIFEST_BLOB_UNKNOWN",), hint="")
        now = self.named.get((repository, pointer), manifest.digest)
        if ":" not in pointer and self.immutable and now != manifest.digest:
            raise RefusedError("taken", status=400, codes=("TAG_INVALID",), hint="")
        self.manifests[repository, manifest.digest] = manifest
        if ":" not in pointer:
            self.named[repository, pointer] = manifest.digest

    def has_blob(self, repository: Repository, digest: str) -> bool:
        self._call("has", repository, digest)
        return (repository, digest) in self.blobs

    def mount_blob(self, repository: Repository, digest: str, source: Repository) -> bool:
        self._call("mount", repository, digest)
        if not self.mounts or (source, digest) not in self.blobs:
            return False
        self.blobs[repository, digest] = self.blobs[source, digest]
        return True

    def write_blob(self, repository: Repository, blob: BlobInfo, source: Path) -> None:
        self._call("upload", repository, blob.digest)
        data = source.read_bytes()
        if f"sha256:{hashlib.sha256(data).hexdigest()}" != blob.digest:
            raise RegistryError("damaged")
        self.blobs[repository, blob.digest] = data

    def fetch_blob(self, repository: Repository, blob: BlobInfo, target: Path) -> None:
        self._call("fetch", repository, blob.digest)
        data = self.blobs.get((repository, blob.digest))
        if data is None:
            raise RefusedError("unknown", status=404, codes=("BLOB_UNKNOWN",), hint="")
        target.write_bytes(data)

    def find_referrers(self, repository: Repository, digest: str) -> tuple[Referrer, ...] | None:
        self._call("referrers", repository, digest)
        held = [item.data for (place, _), item in self.manifests.items() if place == repository]
        rows = map(Referrer.parse, referrer_rows(held, digest))
        return tuple(rows) if self.lists_referrers else None

    def tags(self, repository: Repository) -> tuple[str, ...]:
        self._call("tags", repository, "")
        return tuple(sorted(tag for place, tag in self.named if place == repository))

    def _call(self, verb: str, repository: Repository, what: str) -> None:
        call = f"{verb} {repository.name} {what}"
        with self._lock:
            self.calls.append(call)
        for beginning, action in self.on.items():
            if call.startswith(beginning):
                action()
