"""What is fuzzed: every parser of ours that reads what strangers write, a function of bytes each.

A target returns for what it reads and for what it refuses; whatever else it raises is a fault.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import tempfile
from collections import deque
from collections.abc import Callable
from functools import cache
from pathlib import Path

from orchestrator.engines.assembler.wheel.archive import WheelArchive
from orchestrator.engines.assembler.wheel.segment import Venv, write_wheel_segment
from orchestrator.errors import OrchError
from orchestrator.model import LockedDeb, Platform
from orchestrator.oci.segment import SegmentWriter

Target = Callable[[bytes], None]
_AMD64 = Platform("linux", "amd64")
_DEB = LockedDeb("sample", "1.0", "amd64", "", 0, "")


@cache
def _folder() -> Path:
    """Return a folder in memory, for what is read from files; it goes with the process."""
    memory = Path("/dev/shm")
    kept = tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None, prefix="orch-fuzz-")
    _kept.append(kept)
    return Path(kept.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []


def _file(data: bytes, name: str) -> Path:
    file = _folder() / name
    file.write_bytes(data)
    return file


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def dockerfile(data: bytes) -> None:
    """Read the stages of a Dockerfile, and what they use."""
    from orchestrator.dockerfile.reading import find_uses
    from orchestrator.dockerfile.stages import parse_dockerfile

    find_uses(parse_dockerfile(_text(data), "Dockerfile"), "", {"A": "b"}, _AMD64)


def ignore_file(data: bytes) -> None:
    """Read an ignore file, and ask it about the paths that are its own lines."""
    from orchestrator.ignorefile import parse_ignore_file

    text = _text(data)
    ignored = parse_ignore_file(text, ".dockerignore")
    for line in text.split("\n")[:8]:
        ignored.ignores(line[:64])


def recipe(data: bytes) -> None:
    """Read an image.toml."""
    from orchestrator.recipe import read_recipe

    read_recipe(_file(data, "image.toml"))


def settings(data: bytes) -> None:
    """Read an orch.toml."""
    from orchestrator.settings import read_settings

    read_settings(_file(data, "orch.toml").parent)


def lock(data: bytes) -> None:
    """Read an orch.lock."""
    from orchestrator.lockfile import parse_lock

    parse_lock(_text(data))


def requirements(data: bytes) -> None:
    """Read a requirements file."""
    from orchestrator.resolve.python.requirements import read_requirements

    read_requirements(_file(data, "requirements.txt"), _folder())


def deployment(data: bytes) -> None:
    """Read a deployment file, as each kind that its name may say it is."""
    from orchestrator.deployments.reading import read_deployment

    for path in ("deploy/app.yaml", "chart/values.yaml", "kustomization.yaml"):
        read_deployment(path, _text(data))


def compose(data: bytes) -> None:
    """Read what a Compose file builds."""
    from orchestrator.discovery.compose import read_builds

    read_builds(_file(data, "compose.yaml").parent, "compose.yaml")


def tar(data: bytes) -> None:
    """Read an archive's members and their data."""
    from orchestrator.oci.reading import UNREADABLE, Believable, members, open_tar

    plain = Believable(io.BytesIO(data), 64 << 20)
    with contextlib.suppress(*UNREADABLE), open_tar(plain) as archive:
        for info in members(archive):
            if info.isreg() and (content := archive.extractfile(info)):
                content.read()


def layer(data: bytes) -> None:
    """Read what a layer holds, whatever its files say they are."""
    from orchestrator.verify.layers import read_layer

    read_layer(_file(gzip.compress(data, 1), "layer"))


def packed_layer(data: bytes) -> None:
    """Read a layer from its gzip header on, for an SBOM."""
    from orchestrator.attest.found import LayerReader

    LayerReader().find([_file(data, "layer")])


def sdist(data: bytes) -> None:
    """Unpack an sdist."""
    from orchestrator.wheelhouse.sdist import read_build_requires, unpack_sdist

    file = _file(data, "a-1.0.tar.gz")
    read_build_requires(file, "a")
    with tempfile.TemporaryDirectory(dir=_folder()) as out:
        unpack_sdist(file, "a", Path(out))


def saved_image(data: bytes) -> None:
    """Take what an engine saved into a layout."""
    from orchestrator.oci.imported import import_archive
    from orchestrator.oci.layout import Layout

    with tempfile.TemporaryDirectory(dir=_folder()) as out:
        import_archive(Layout(Path(out)), iter([data]))


def deb(data: bytes) -> None:
    """Lay a Debian package out."""
    from orchestrator.engines.assembler.deb.segment import write_deb_segment

    write_deb_segment(_file(data, "a.deb"), _DEB, SegmentWriter(io.BytesIO()))


def scripts(data: bytes) -> None:
    """Understand a maintainer script, or not."""
    from orchestrator.engines.assembler.deb.scripts import plan_actions

    plan_actions("sample", {"control": "Package: sample\n", "postinst": _text(data)})


def wheel(data: bytes) -> None:
    """Lay a wheel out."""
    name = "sample-1.0-py3-none-any.whl"
    with WheelArchive(_file(data, name), name) as archive:
        writer = SegmentWriter(io.BytesIO())
        write_wheel_segment(archive, Venv("/opt/venv", "3.11"), writer, None)


def elf(data: bytes) -> None:
    """Read what the dynamic linker reads."""
    from orchestrator.engines.assembler.elf import read_elf

    read_elf(io.BytesIO(data), "usr/lib/a.so")


def release(data: bytes) -> None:
    """Read a signed release file's text."""
    from orchestrator.resolve.debian.release import parse_release

    parse_release(_text(data), "bookworm", "a mirror")


def packages(data: bytes) -> None:
    """Read a Packages index, every package and what it depends on."""
    from orchestrator.resolve.debian import Universe

    universe = Universe("amd64", "bookworm", [data])
    for name in universe.names:
        for package in universe.versions(name):
            for clause in package.depends:
                deque((package.matches(one) for one in clause.alternatives), maxlen=0)


def inventory(data: bytes) -> None:
    """Read what a registry says that segments hold."""
    from orchestrator.oci.segment import SegmentInfo

    with contextlib.suppress(ValueError):
        SegmentInfo.from_json(_text(data))


def layout(data: bytes) -> None:
    """Read an image of a layout whose manifest and config are both this document."""
    from orchestrator.oci.layout import Layout

    found = Layout(_folder() / "layout")
    digest = f"sha256:{'a' * 64}"
    found.blob_path(digest).parent.mkdir(parents=True, exist_ok=True)
    found.blob_path(digest).write_bytes(data)
    (found.folder / "index.json").write_bytes(data)
    found.has_image(digest)
    found.names()
    found.read_image(digest)


def registry(data: bytes) -> None:
    """Read what a registry answers: a manifest, a challenge, references, lists."""
    from orchestrator.publish.auth import parse_challenge
    from orchestrator.publish.pull import find_image
    from orchestrator.publish.reference import Reference, Repository
    from orchestrator.publish.registry import Manifest

    class Answering:
        def read_manifest(self, repository: Repository, pointer: str) -> Manifest:  # noqa: ARG002 - as a registry has it
            media_type = "application/vnd.oci.image.index.v1+json" if b"manifests" in data else ""
            return Manifest(media_type, data)

    text = _text(data)
    parse_challenge(text)
    find_image(Answering(), Reference.parse("example.com/a:1"), _AMD64)
    Reference.parse(text)


def said(data: bytes) -> None:
    """Find secrets in a text, and what buildx and scanners said in it."""
    from orchestrator.checks.secrets import find_secrets
    from orchestrator.engines.buildkit.rawjson import RawJson
    from orchestrator.vulnerabilities.answers import (
        UnreadableAnswerError,
        parse_answer,
    )

    text = _text(data)
    deque(find_secrets(text), maxlen=0)
    reading = RawJson()
    for line in text.split("\n"):
        reading.feed(line)
    for scanner in ("trivy", "grype", "pip-audit"):
        with contextlib.suppress(UnreadableAnswerError):
            parse_answer(scanner, data)


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        dockerfile,
        ignore_file,
        recipe,
        settings,
        lock,
        requirements,
        deployment,
        compose,
        tar,
        layer,
        packed_layer,
        sdist,
        saved_image,
        deb,
        scripts,
        wheel,
        elf,
        release,
        packages,
        inventory,
        layout,
        registry,
        said,
    )
}


def run(name: str, data: bytes) -> None:
    """Give data to a target; an error with a reason is as good as a result.

    Raises:
        AssertionError: The error does not say what went wrong.
    """
    try:
        TARGETS[name](data)
    except OrchError as error:
        if not error.message:
            raise AssertionError("a refusal without a reason") from error
