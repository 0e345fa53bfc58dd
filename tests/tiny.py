"""A workspace of four images, with a mirror and wheels of its own, for tests without network."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.app.building import BuildRun, build
from orchestrator.app.opened import open_workspace
from orchestrator.app.planning import BuildOptions
from orchestrator.lockfile import ImageLock, Lock
from orchestrator.lockwriting import format_lock
from orchestrator.model import LockedDeb, LockedWheel, Platform
from orchestrator.oci.layout import Layout
from orchestrator.resolve.inputs import inputs_digest, read_tree_requirements
from tests.debs import file, folder, make_deb, make_elf
from tests.fakes import FakeObserver
from tests.helpers import write_tree
from tests.wheels import locked, make_wheel

AMD64 = Platform("linux", "amd64")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_TAG = f"cp{PYTHON.replace('.', '')}-cp{PYTHON.replace('.', '')}-manylinux_2_17_x86_64"
_PASSWD = (
    "root:*:0:0:root:/root:/bin/bash\nnobody:*:65534:65534:nobody:/nonexistent:/sbin/nologin\n"
)
_FILES = {
    "base/python-base/image.toml": (
        'from = "debian:bookworm"\n[system]\npackages = ["base-passwd", "libc6"]\n'
        '[config]\nworkdir = "/app"\nentrypoint = ["base"]\ncommand = ["x"]\n'
    ),
    "base/python-web/image.toml": 'from = "python-base"\nsummary = "Web"\n',
    "services/api/image.toml": (
        'from = "python-web"\n[config]\nuser = "app"\nentrypoint = ["python", "main.py"]\n'
        '[[files]]\nfrom = "app"\nto = "/app"\nowner = "app"\n'
        '[healthcheck]\nhttp = "http://127.0.0.1:8000/"\n'
    ),
    "services/api/app/main.py": "print('api')\n",
    "services/worker/image.toml": (
        'from = "python-base"\n[[files]]\nfrom = "main.py"\nto = "/app/"\n'
    ),
    "services/worker/main.py": "print('worker')\n",
}
_LIB = "usr/lib/x86_64-linux-gnu"


@dataclass
class Tiny:
    """python-base; python-web: python-base; api: python-web; worker: python-base."""

    root: Path
    cache: Path
    sources: Path
    adds: dict[str, ImageLock] = field(default_factory=dict)

    @classmethod
    def make(cls, root: Path, sources: Path, cache: Path) -> Tiny:
        """Write the workspace to `root`, its packages to `sources`."""
        (sources / "index").mkdir(parents=True, exist_ok=True)
        settings = (
            f'[python]\nversion = "{PYTHON}"\nindex-url = "{(sources / "index").as_uri()}"\n'
            f'find-links = ["{sources / "wheels"}"]\n'
            f'[debian]\nessential = []\nmirror = "{(sources / "mirror").as_uri()}"\n'
        )
        write_tree(root, {"orch.toml": settings, **_FILES})
        tiny = cls(root, cache, sources)
        libc = {f"{_LIB}/libc.so.6": make_elf(soname="libc.so.6")}
        libc["etc/ld.so.conf.d/x86_64-linux-gnu.conf"] = b"/usr/lib/x86_64-linux-gnu\n"
        libc["etc/ld.so.conf"] = b"include /etc/ld.so.conf.d/*.conf\n"
        passwd = {"usr/share/base-passwd/passwd.master": _PASSWD.encode()}
        passwd["usr/share/base-passwd/group.master"] = b"root:*:0:\n"
        tiny.adds = {
            "python-base": ImageLock(
                (tiny.deb("base-passwd", passwd), tiny.deb("libc6", libc, "2.36-9")),
                (
                    tiny.wheel("alpha", {"alpha/__init__.py": b"X = {'a', 'b'}\n"}),
                    tiny.wheel("native", {"native.so": make_elf(needed=["libc.so.6"])}, _TAG),
                ),
            ),
            "python-web": ImageLock((), (tiny.wheel("web", {"web.py": b"import alpha\n"}),)),
            "api": ImageLock((), (tiny.wheel("client", {"client.py": b"import web\n"}),)),
            "worker": ImageLock(),
        }
        tiny.lock()
        return tiny

    def deb(self, name: str, files: Mapping[str, bytes], version: str = "1.0") -> LockedDeb:
        """Put a Debian package into the mirror."""
        path = f"pool/{name}_{version}_amd64.deb"
        target = self.sources / "mirror" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        members = [file(f"./{place}", data) for place, data in files.items()]
        control = f"Package: {name}\nVersion: {version}\nArchitecture: amd64\n"
        make_deb(target, [folder("./tmp", 0o1777), *members], {"control": control})
        data = target.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        return LockedDeb(name, version, "amd64", digest, len(data), path)

    def wheel(
        self, name: str, files: Mapping[str, bytes], tag: str = "py3-none-any"
    ) -> LockedWheel:
        """Put a wheel into the folder that find-links names."""
        return locked(make_wheel(self.sources / "wheels", name, "1.0", files, tag=tag))

    def lock(self) -> None:
        """Write the lock of what the images add."""
        opened = open_workspace(self.root)
        lines = read_tree_requirements(opened.workspace)
        images = {}
        for name, adds in self.adds.items():
            inputs = inputs_digest(opened.workspace, opened.graph, name, lines[name])
            images[name, AMD64] = ImageLock(adds.debs, adds.wheels, inputs)
        (self.root / "orch.lock").write_text(format_lock(Lock(PYTHON, "bookworm", {}, images)))

    def add_wheel(self, image: str, wheel: LockedWheel) -> None:
        """Lock one more wheel for an image."""
        self.adds[image] = ImageLock(self.adds[image].debs, (*self.adds[image].wheels, wheel))
        self.lock()

    def build(self, jobs: int = 1, *, offline: bool = False) -> BuildRun:
        """Build everything that is stale."""
        options = BuildOptions(AMD64, jobs=jobs, offline=offline)
        return build(open_workspace(self.root), options, FakeObserver())

    @property
    def layout(self) -> Layout:
        """Return the layout the images are in."""
        return Layout(self.root / ".orch/layout")


def statuses(run: BuildRun) -> dict[str, str]:
    """Return what came of each image."""
    return {name: outcome.status.value for name, outcome in run.outcomes.items()}


def digests(run: BuildRun) -> dict[str, str]:
    """Return each image's digest, where all were made."""
    assert run.ok, [outcome.error for outcome in run.outcomes.values() if outcome.error]
    return {name: outcome.digest for name, outcome in run.outcomes.items()}
