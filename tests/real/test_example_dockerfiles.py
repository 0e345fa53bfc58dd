"""`examples/dockerfiles` on a real engine: adopted, built, run, edited, and built by bake."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import docker
import httpx
import pytest

from tests.helpers import write_tree
from tests.real.containers import address_of, run_detached, wait_until_healthy
from tests.real.docker_engine import DockerEngine
from tests.real.voice import EXAMPLE, load_root
from tests.real.voice import docker as run_docker
from tests.real.voice import orch as run_orch

BASES = ("python-base", "python-web", "python-voice")
SERVICES = ("greeter", "status", "transcripts", "webhook")
ON_WEB = {"python-web", "python-voice", "greeter", "status", "transcripts"}


class Voice:
    """A copy of the example that was adopted and built, as a team has it from then on."""

    def __init__(self, engine: DockerEngine, root: Path) -> None:
        self.engine, self.root = engine, root

    def orch(self, *words: str | Path) -> str:
        return run_orch(self.engine, self.root, *words)

    def build(self) -> dict[str, str]:
        """Build, and return the status of each image."""
        report = self.root.parent / "report.json"
        self.orch("build", "--report", report)
        return {item["name"]: item["status"] for item in json.loads(report.read_text())["images"]}


@pytest.fixture(scope="module")
def voice(docker26: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> Voice:
    load_root(docker26, tmp_path_factory.mktemp("root"))
    root = tmp_path_factory.mktemp("voice") / "voice"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns("__pycache__"))
    voice = Voice(docker26, root)
    voice.orch("init")
    assert voice.build() == dict.fromkeys((*BASES, *SERVICES), "built")
    return voice


@pytest.fixture(scope="module")
def client(docker26: DockerEngine) -> Iterator[docker.DockerClient]:
    client = docker26.client()
    yield client
    client.close()


def layers(client: docker.DockerClient, image: str) -> list[str]:
    """Return the diffIDs of an image's layers."""
    found: list[str] = client.images.get(image).attrs["RootFS"]["Layers"]
    return found


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_lives_and_is_ready_on_a_read_only_root(
    voice: Voice, client: docker.DockerClient, name: str
) -> None:
    with run_detached(client, f"{name}:latest") as container:
        url = f"http://{address_of(container)}:8000/health"
        assert wait_until_healthy(url, container).json() == {"status": "ok"}
        assert httpx.get(f"{url}/live", trust_env=False).status_code == 200
        ready = httpx.get(f"{url}/ready", trust_env=False)
        assert (ready.status_code, ready.json()["status"]) == (200, "ready")
        assert container.exec_run(["id", "-u"]).output == b"1000\n"
        healthcheck = client.images.get(f"{name}:latest").attrs["Config"]["Healthcheck"]
        assert container.exec_run(healthcheck["Test"][1:]).exit_code == 0


def test_a_second_build_builds_nothing(voice: Voice) -> None:
    assert set(voice.build().values()) == {"reused"}


def test_an_edited_service_is_the_one_image_built(voice: Voice) -> None:
    file = voice.root / "services/greeter/app/main.py"
    file.write_text(file.read_text().replace("Hello", "Good morning"))
    assert [name for name, status in voice.build().items() if status == "built"] == ["greeter"]


def test_an_edited_base_is_built_with_all_that_stands_on_it(
    voice: Voice, client: docker.DockerClient
) -> None:
    file = voice.root / "base/python-web/voice_web.py"
    file.write_text(f"{file.read_text()}\nEDITED = True\n")
    built = {name for name, status in voice.build().items() if status == "built"}
    assert built == ON_WEB
    edited = ["python", "-c", "import voice_web; print(voice_web.EDITED)"]
    assert client.containers.run("status:latest", edited, remove=True).strip() == b"True"


def test_the_layers_of_an_image_begin_with_those_of_what_it_stands_on(
    voice: Voice, client: docker.DockerClient
) -> None:
    graph = json.loads(voice.orch("graph", "--format", "json"))["images"]
    edges = [(image["name"], parent) for image in graph for parent in image["parents"]]
    assert len(edges) == 6
    for name, parent in edges:
        below = layers(client, parent)
        assert layers(client, name)[: len(below)] == below, name


def test_bake_builds_the_same_images_with_their_edges(
    voice: Voice, client: docker.DockerClient
) -> None:
    voice.orch("bake", "--output", voice.root / "docker-bake.json")
    run_docker(voice.engine, "buildx", "bake", cwd=voice.root)
    for name, parent in (("status", "python-voice"), ("webhook", "python-base")):
        image, below = (f"registry.example.com/voice/{one}:latest" for one in (name, parent))
        stack = layers(client, below)
        assert layers(client, image)[: len(stack)] == stack
        assert len(layers(client, image)) > len(stack)


def test_bake_builds_on_a_recipe_s_image_that_is_loaded(
    docker26: DockerEngine, client: docker.DockerClient, tmp_path: Path
) -> None:
    files = {
        "orch.toml": "[debian]\nessential = []\n",
        "base/tools/image.toml": (
            'from = "debian:bookworm"\n[[files]]\nfrom = "hello"\nto = "/hello"\n'
        ),
        "base/tools/hello": "hello",
        "services/copy/Dockerfile": "FROM tools:1\nCOPY --from=tools /hello /again\n",
    }
    write_tree(tmp_path, files)
    run_orch(docker26, tmp_path, "lock")
    run_orch(docker26, tmp_path, "build", "--load", "tools")
    run_orch(docker26, tmp_path, "bake", "copy", "--output", tmp_path / "docker-bake.json")
    run_docker(docker26, "buildx", "bake", cwd=tmp_path)
    assert len(layers(client, "copy:latest")) == 2
