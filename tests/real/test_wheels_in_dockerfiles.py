"""Dockerfiles that install from the context of wheels, on a real engine, without a network."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import docker
import pip
import pytest

from tests.real.docker_engine import DockerEngine
from tests.real.reference import load_image
from tests.real.site import Ran, Site
from tests.real.voice import docker as run_docker
from tests.sdists import make_buildable
from tests.wheels import make_wheel

PYTHON = "example.com/python:3.11"
_PYTHON_DOCKERFILE = """\
FROM python-base
ENV PATH=/usr/bin:/bin PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore
COPY pip /usr/lib/python3/dist-packages/pip
"""
INSTALL = (
    "RUN --mount=type=bind,from=wheels,target=/wheels "
    "python3.11 -m pip install --no-index --find-links=/wheels -r /wheels/requirements.txt\n"
)
LIKE_BEFORE = "COPY constraints.txt /constraints.txt\nRUN echo long work > /work\n"
SETTINGS = """\
[debian]
essential = []
[python]
index-url = "{index}"
find-links = ["{wheels}"]
[image.base]
network = "none"
requirements = ["requirements.txt"]
glibc = "2.36"
[image.api]
path = "services/api"
network = "none"
requirements = ["requirements.txt"]
"""
CONSTRAINTS = "lib==1.0\nweb==1.0\nother==1.0\n"
TREE = {
    "constraints.txt": CONSTRAINTS,
    "base/base/Dockerfile": f"FROM {PYTHON}\n{LIKE_BEFORE}{INSTALL}",
    "base/base/constraints.txt": CONSTRAINTS,
    "base/base/requirements.txt": "lib\nmade\n",
    "services/api/Dockerfile": f"FROM base\n{LIKE_BEFORE}{INSTALL}"
    "CMD python3.11 -c 'import lib, web; print(lib.V, web.V)' && cat /constraints.txt\n",
    "services/api/constraints.txt": CONSTRAINTS,
    "services/api/requirements.txt": "web\n",
}


@pytest.fixture(scope="module")
def client(docker26: DockerEngine) -> Iterator[docker.DockerClient]:
    client = docker26.client()
    yield client
    client.close()


@pytest.fixture(scope="module")
def python(docker26: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that makes an image with Python and pip, as public ones are."""
    load_image(docker26, "python-base")
    scratch = tmp_path_factory.mktemp("python")
    without_bytecode = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(pip.__file__).parent, scratch / "pip", ignore=without_bytecode)
    (scratch / "Dockerfile").write_text(_PYTHON_DOCKERFILE)
    return scratch


@pytest.fixture(scope="module")
def site(docker26: DockerEngine, python: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A workspace of two images that are locked and built: web needs lib, made is an sdist."""
    folder = tmp_path_factory.mktemp("site")
    run_docker(docker26, "build", "--quiet", "--tag", PYTHON, str(python))
    site = Site(folder, docker26, Path(os.devnull))
    wheels = folder / "wheels"
    make_wheel(wheels, "lib", "1.0", {"lib.py": b"V = 'lib 1.0'\n"})
    for version in ("1.0", "2.0"):
        code = f"V = 'web {version}'\n".encode()
        make_wheel(wheels, "web", version, {"web.py": code}, requires=["lib"])
    make_buildable(wheels, "made", steps="open('made.txt', 'w').write('made here')\n")
    (folder / "index").mkdir()
    settings = SETTINGS.format(index=(folder / "index").as_uri(), wheels=wheels)
    site.write({"orch.toml": settings, **TREE})
    well(site.orch("lock"))
    assert well(site.build()).with_status("built") == {"base", "api"}
    return site


def well(ran: Ran) -> Ran:
    assert ran.code == 0, ran.said
    return ran


def output(client: docker.DockerClient, name: str, *command: str) -> str:
    shown: bytes = client.containers.run(name, list(command) or None, remove=True)
    return shown.decode()


def constrain(site: Site, text: str) -> None:
    folders = ("", "base/base/", "services/api/")
    site.write({f"{folder}constraints.txt": text for folder in folders})


def test_images_install_what_is_locked_without_a_network(
    site: Site, client: docker.DockerClient
) -> None:
    assert output(client, "api") == "lib 1.0 web 1.0\nlib==1.0\nweb==1.0\n"
    made = output(client, "base", "python3.11", "-m", "pip", "list", "--format=json")
    assert {"name": "made", "version": "1.0"} in json.loads(made)
    assert "wheels" not in output(client, "api", "ls", "/").split(), "the mount is left behind"
    assert "web-1.0-py3-none-any.whl" in site.log("api")
    assert "lib-1.0-py3-none-any.whl" not in site.log("api"), "the base holds it"
    assert well(site.build()).with_status("reused") == {"base", "api"}


def test_an_unrelated_constraint_builds_nothing_and_no_layer_anew(site: Site) -> None:
    constrain(site, f"# another\n{CONSTRAINTS.replace('other==1.0', 'other==2.0')}")
    assert well(site.build()).with_status("reused") == {"base", "api"}
    well(site.build("--force"))
    for name in ("base", "api"):
        log = site.log(name)
        steps = set(re.findall(r"^(#\d+) \[.*\] (?:RUN|COPY) ", log, re.MULTILINE))
        assert len(steps) == 3
        assert set(re.findall(r"^(#\d+) CACHED$", log, re.MULTILINE)) >= steps, log


def test_a_related_constraint_and_its_pin_build_one_image(
    site: Site, client: docker.DockerClient
) -> None:
    constrain(site, CONSTRAINTS.replace("web==1.0", "web==2.0"))
    assert site.build().code == 2, "the lock is behind"
    well(site.orch("lock"))
    ran = well(site.build())
    assert (ran.with_status("built"), ran.with_status("reused")) == ({"api"}, {"base"})
    assert output(client, "api").startswith("lib 1.0 web 2.0\n")
