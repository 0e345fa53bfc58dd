"""Two machines, each with a network and an engine of its own, and one registry between them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import give_up
from tests.real.docker_engine import DockerEngine, docker_engine
from tests.real.networks import MIDDLE, networks, self_signed
from tests.real.parts import MissingPartError
from tests.real.registry import registry
from tests.real.site import ROOT_DOCKERFILE, Ran, Site

_FILE = '[[files]]\nfrom = "{0}"\nto = "/{0}"\n'
_SHOW = '[config]\nentrypoint = ["/bin/busybox", "cat", "/x"]\n'
FILES = {
    "base/recipe/image.toml": 'from = "debian:bookworm"\n'
    '[[files]]\nfrom = "busybox"\nto = "/bin/busybox"\nmode = "0755"\n',
    "base/built/Dockerfile": ROOT_DOCKERFILE,
    "services/one/image.toml": 'from = "recipe"\n' + _FILE.format("x") + _SHOW,
    "services/one/x": "recipe on a recipe\n",
    "services/two/image.toml": 'from = "recipe"\n' + _FILE.format("x") + _SHOW,
    "services/two/x": "another recipe on a recipe\n",
    "services/three/image.toml": 'from = "built"\n' + _FILE.format("x") + _SHOW,
    "services/three/x": "recipe on a Dockerfile\n",
    "services/four/Dockerfile": 'FROM built\nCOPY x /x\nCMD ["cat", "/x"]\n',
    "services/four/x": "Dockerfile on a Dockerfile\n",
    "services/five/Dockerfile": 'FROM recipe\nCOPY x /x\nCMD ["/bin/busybox", "cat", "/x"]\n',
    "services/five/x": "Dockerfile on a recipe\n",
}
SERVICES = ("one", "two", "three", "four", "five")
RECIPES = ("recipe", "one", "two")


@dataclass(frozen=True, slots=True)
class Machine:
    """A checkout, a cache and an engine in a network of their own."""

    site: Site
    engine: DockerEngine

    def publish(self, *names: str) -> Ran:
        ran = self.site.build("--changed", "--push", *names)
        assert ran.code == 0, ran.said
        return ran

    def output(self, name: str) -> str:
        with closing(self.engine.client()) as client:
            said: bytes = client.containers.run(f"{name}:latest", remove=True)
            return said.decode()


@pytest.fixture
def certificate(tmp_path: Path, require_tool: Callable[[str], Path]) -> Path:
    """A folder with the registry's certificate, which signs itself."""
    return self_signed(tmp_path, require_tool("openssl"))


@pytest.fixture
def machines(
    tmp_path: Path, certificate: Path, require_tool: Callable[[str], Path]
) -> Iterator[tuple[Machine, Machine]]:
    busybox = require_tool("busybox")
    with ExitStack() as resources:
        try:
            between, *sides = resources.enter_context(networks())
            address = resources.enter_context(
                registry(tls=certificate, host=MIDDLE, inside=between)
            )
            made = []
            for name, inside in zip(("first", "second"), sides, strict=True):
                engine = resources.enter_context(docker_engine("26", inside=inside))
                made.append(Machine(Site(tmp_path / name, engine, busybox, inside), engine))
        except MissingPartError as missing:
            give_up(missing)
        for machine in made:
            site = machine.site
            site.write({"orch.toml": f'registry = "{address}/team"\n[debian]\nessential = []\n'})
            site.write(FILES)
            shutil.copyfile(busybox, site.root / "base/recipe/busybox")
            site.environment["SSL_CERT_FILE"] = str(certificate / "tls.crt")
        assert made[0].site.orch("lock").code == 0
        shutil.copyfile(made[0].site.root / "orch.lock", made[1].site.root / "orch.lock")
        yield made[0], made[1]


def test_two_machines_build_one_graph_over_one_registry(
    machines: tuple[Machine, Machine], tmp_path: Path, require_tool: Callable[[str], Path]
) -> None:
    first, second = machines
    assert first.publish("recipe", "built", "one").with_status("built") == {
        "recipe",
        "built",
        "one",
    }
    there = second.publish()
    assert there.with_status("built") == {"two", "three", "four", "five"}
    back = first.publish()
    assert back.with_status("built") == set()

    for machine in machines:
        assert machine.site.build("--load").with_status("built") == set()
        for name in SERVICES:
            assert machine.output(name) == FILES[f"services/{name}/x"]

    alone = Site(tmp_path / "alone", first.engine, require_tool("busybox"))
    shutil.copytree(first.site.root, alone.root, ignore=shutil.ignore_patterns(".orch"))
    expected = alone.build(*RECIPES).images
    assert {name: second.site.build(name).images[name]["digest"] for name in RECIPES} == {
        name: expected[name]["digest"] for name in RECIPES
    }
