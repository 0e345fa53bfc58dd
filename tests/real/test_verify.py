"""Gates on real containers: sound images pass, each seeded fault fails the gate named for it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from orchestrator.engines.docker.engine import DockerEngine as Engine
from orchestrator.engines.docker.trial import LABEL, Confined, Trials
from orchestrator.errors import InterruptedByUserError
from tests.container_contract import SCRIPT, ContainerContract
from tests.debs import make_elf
from tests.helpers import ROOT, write_lock, write_tree, write_workspace
from tests.real import docker_engine as engines
from tests.real.docker_engine import DockerEngine
from tests.real.parts import REPOSITORY
from tests.real.reference import UnavailableImageError, build_image, skip_unavailable
from tests.real.tiny_image import make_archive

ORCH = Path(sys.executable).with_name("orch")
APPLETS = ("sh", "cat", "echo", "httpd", "mkdir", "sleep", "wget")
STAY = "trap 'exit 0' TERM; {begin} httpd -p 8080 -h /www; while :; do sleep 1 & wait $!; done"
RECIPE = """
from = "{root}"
[[files]]
from = "root"
to = "/"
owner = "{owner}"
[config]
user = "{user}"
expose = ["8080"]
entrypoint = ["/bin/sh", "-c", {script}]
[healthcheck]
command = ["/bin/wget", "-q", "-O", "-", "http://127.0.0.1:{port}/health"]
[gates]
start-within = "20s"
max-size = "10 MB"
"""
DOCKERFILE = """
FROM scratch
COPY root /
USER 1000
EXPOSE 8080
HEALTHCHECK CMD ["/bin/wget", "-q", "-O", "-", "http://127.0.0.1:8080/health"]
ENTRYPOINT ["/bin/sh", "-c", "{script}"]
"""


@dataclass(frozen=True)
class Seed:
    """What is wrong with a service, and the gates that fail for it."""

    gates: set[str]
    user: str = "1000"
    owner: str = ""
    port: int = 8080
    begin: str = ""
    big: bool = False
    native: bool = False


SEEDS = {
    "sound": Seed(set()),
    "writes": Seed({"writes"}, owner="1000", begin="echo x 2>/dev/null > /app/main;"),
    "complains": Seed({"writes", "log"}, begin="echo x > /app/started;"),
    "root": Seed({"user", "running-user"}, user="0"),
    "wrong-port": Seed({"healthy"}, port=9999),
    "forgotten": Seed({"max-size"}, big=True),
    "missing": Seed({"libraries"}, native=True),
    "deaf": Seed({"stops"}, begin="trap '' TERM;"),
}


@dataclass
class Verified:
    """What `orch verify` said, and how it ended."""

    code: int
    document: Any
    err: str

    def failed(self, name: str) -> set[str]:
        gates = self.gates(name).values()
        return {gate["id"] for gate in gates if gate["result"] == "failed"}

    def gates(self, name: str) -> dict[str, Any]:
        image = next(image for image in self.document["images"] if image["name"] == name)
        return {gate["id"]: gate for gate in image["gates"]}


def environment(engine: DockerEngine) -> dict[str, str]:
    return {**os.environ, **engine.environment()}


def verify(engine: DockerEngine, root: Path, *arguments: str) -> Verified:
    done = subprocess.run(
        [ORCH, "-C", root, "verify", "--format", "json", "--runtime", "docker", *arguments],
        env=environment(engine),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return Verified(done.returncode, json.loads(done.stdout), done.stderr)


@pytest.fixture(scope="module", params=engines.VERSIONS)
def docker_engine(request: pytest.FixtureRequest) -> DockerEngine:
    """Run the newer engine, and with `--full` the older one too."""
    if request.param != engines.VERSIONS[0] and not request.config.getoption("--full"):
        pytest.skip("for --full")
    engine: DockerEngine = request.getfixturevalue(f"docker{request.param}")
    return engine


@pytest.fixture(scope="module")
def busybox(require_tool: Callable[[str], Path]) -> Path:
    return require_tool("busybox")


def write_service(root: Path, name: str, seed: Seed, busybox: Path) -> None:
    """Write a service of nothing but busybox, with what is wrong with it."""
    script = json.dumps(STAY.format(begin=seed.begin))
    recipe = RECIPE.format(
        root=ROOT, owner=seed.owner, user=seed.user, script=script, port=seed.port
    )
    write_tree(
        root / "services" / name,
        {
            "image.toml": recipe,
            "root/www/health/index.html": "ok\n",
            "root/www/health/ready": '{"components": {}}\n',
            "root/app/main": "\n",
        },
    )
    bin_ = root / "services" / name / "root/bin"
    bin_.mkdir()
    shutil.copy(busybox, bin_ / "busybox")
    for applet in APPLETS:
        (bin_ / applet).symlink_to("busybox")
    if seed.big:
        with (bin_.parent / "app/dump.sql").open("wb") as file:
            file.truncate(300_000_000)
    if seed.native:
        (bin_.parent / "app/x.so").write_bytes(make_elf(needed=["libsndfile.so.1"]))


def write_dockerfile(root: Path, name: str, busybox: Path) -> None:
    """Write a sound service that a Dockerfile defines."""
    write_service(root, name, Seed(set()), busybox)
    folder = root / "services" / name
    (folder / "image.toml").unlink()
    (folder / "Dockerfile").write_text(DOCKERFILE.format(script=STAY.format(begin="")))


@pytest.fixture(scope="module")
def seeded(
    docker_engine: DockerEngine, busybox: Path, tmp_path_factory: pytest.TempPathFactory
) -> Verified:
    """Verify all seeded services in one go."""
    root = write_workspace(tmp_path_factory.mktemp("seeds"), {})
    for name, seed in SEEDS.items():
        write_service(root, name, seed, busybox)
    write_dockerfile(root, "docked", busybox)
    write_lock(root)
    built = subprocess.run(
        [ORCH, "-C", root, "build"],
        env=environment(docker_engine),
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return verify(docker_engine, root, "--jobs", "8")


@pytest.mark.parametrize("name", SEEDS)
def test_each_seeded_fault_fails_the_gate_named_for_it(seeded: Verified, name: str) -> None:
    gates = seeded.gates(name)
    assert seeded.failed(name) == SEEDS[name].gates, json.dumps(gates, indent=1)
    assert [gate["id"] for gate in gates.values() if gate["result"] == "not-checked"] == []
    assert seeded.code == 1


def test_a_sound_image_of_a_dockerfile_passes_every_gate(seeded: Verified) -> None:
    gates = seeded.gates("docked")
    assert {gate["result"] for gate in gates.values()} == {"passed"}, json.dumps(gates, indent=1)
    assert {"starts", "writes", "stops"} <= gates.keys()


def test_evidence_names_what_is_wrong(seeded: Verified) -> None:
    assert seeded.gates("writes")["writes"]["evidence"]["written"] == ["/app/main"]
    assert "/app/dump.sql 300.0 MB" in seeded.gates("forgotten")["max-size"]["says"]
    assert "/app/x.so needs libsndfile.so.1" in seeded.gates("missing")["libraries"]["says"]
    assert seeded.gates("root")["running-user"]["evidence"]["uids"] == [0]
    assert 0 < seeded.gates("sound")["starts"]["evidence"]["started_s"] < 20


def test_no_container_is_left(seeded: Verified, client: docker.DockerClient) -> None:
    assert seeded.document["images"]
    assert client.containers.list(all=True, filters={"label": LABEL}) == []


def test_a_service_of_the_reference_tree_passes_every_gate(docker_engine: DockerEngine) -> None:
    try:
        build_image("webhook")
    except UnavailableImageError as unavailable:
        skip_unavailable(unavailable)
    done = verify(docker_engine, REPOSITORY, "--strict", "webhook")
    assert done.failed("webhook") == set(), done.document
    assert done.code == 0, done.err
    assert done.gates("webhook")["imports"]["evidence"]["projects"] > 30


def test_ctrl_c_leaves_no_container(
    docker_engine: DockerEngine, client: docker.DockerClient, busybox: Path, tmp_path: Path
) -> None:
    root = write_workspace(tmp_path, {})
    never = Seed(set(), begin="while :; do sleep 1 & wait $!; done;")
    write_service(root, "never", never, busybox)
    write_lock(root)
    subprocess.run([ORCH, "-C", root, "build"], capture_output=True, check=True)
    with closing(client.events(filters={"event": "start"}, decode=True)) as events:
        process = subprocess.Popen(
            [ORCH, "-C", root, "verify"], env=environment(docker_engine), stderr=subprocess.PIPE
        )
        next(events)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert client.containers.list(all=True, filters={"label": LABEL}) == []


class TestDockerContainers(ContainerContract):
    @pytest.fixture
    def runtime(
        self, docker_engine: DockerEngine, monkeypatch: pytest.MonkeyPatch, busybox: Path
    ) -> Iterator[Trials]:
        monkeypatch.setenv("DOCKER_HOST", docker_engine.host)
        with closing(Engine()) as engine:
            engine.load(iter([make_archive("tried", busybox, ("sh", "-c", SCRIPT))]))
            yield Trials(engine)

    @pytest.fixture
    def confined(self) -> Confined:
        return Confined("tiny", "tried:latest", user="0:0", read_only=False)

    def test_one_that_is_stopped_interrupts_whoever_waits_and_is_removed(
        self, runtime: Trials, confined: Confined, client: docker.DockerClient
    ) -> None:
        with runtime.container(confined) as container:
            container.start()
            runtime.stop()
            with pytest.raises(InterruptedByUserError):
                container.pause(60)
        with pytest.raises(InterruptedByUserError), runtime.container(confined):
            pass
        assert client.containers.list(all=True, filters={"label": LABEL}) == []

    def test_it_is_confined(
        self, runtime: Trials, confined: Confined, client: docker.DockerClient
    ) -> None:
        with runtime.container(Confined("tiny", confined.image)):
            (made,) = client.containers.list(all=True, filters={"label": LABEL})
            host = made.attrs["HostConfig"]
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges"]
        assert host["NetworkMode"] == "none"
        assert host["PidsLimit"] > 0
        assert host["Memory"] > 0
