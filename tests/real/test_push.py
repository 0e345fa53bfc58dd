"""`orch push` to a real registry: what others read there is what was reported."""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.publish.credentials import Credentials
from orchestrator.publish.reference import Namespace, Repository
from tests.conftest import required
from tests.helpers import ROOT, write_lock, write_tree, write_workspace
from tests.real.docker_engine import DockerEngine
from tests.real.fault_proxy import Fault, FaultProxy
from tests.real.parts import REPOSITORY
from tests.real.pushing import check_tags_are_whole
from tests.real.reference import UnavailableImageError, build_image, skip_unavailable
from tests.real.registry import PASSWORD, USER
from tests.real.registry import registry as run_registry
from tests.real.token_server import TokenServer, token_server

ORCH = Path(sys.executable).with_name("orch")
NAMES = ("a", "s", "t")
KILLS, FULL_KILLS = 3, 50
BULK_BYTES = 20_000_000
TIMEOUT_S = 120

_FILES = "[[files]]\nfrom = 'src'\nto = '/app'\n"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kill" in metafunc.fixturenames:
        kills = FULL_KILLS if metafunc.config.getoption("--full") else KILLS
        metafunc.parametrize("kill", range(kills))


class Workspace:
    """A built workspace of images that are files alone, and `orch` in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def environment(self, **more: str) -> dict[str, str]:
        home = str(self.root.parent)
        path = os.environ["PATH"]
        return {
            "PATH": path,
            "HOME": home,
            "ORCH_CACHE": f"{home}/cache",
            "LANG": "C.UTF-8",
            **more,
        }

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [ORCH, "-C", self.root, *arguments],
            env=self.environment(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def orch(self, *arguments: str, code: int = 0, **more: str) -> tuple[str, str]:
        with self.start(*arguments, **more) as process:
            out, err = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == code, err
        assert "Traceback" not in err
        return out, err

    def push(self, namespace: Namespace, *arguments: str) -> dict[str, Any]:
        """Push and return the images of the report, by name."""
        given = ("--registry", str(namespace), "--format", "json", *arguments)
        report = json.loads(self.orch("push", *given)[0])
        return {image["name"]: image for image in report["images"]}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("pushed")
    recipes = {
        "base/a": f'from = "{ROOT}"\n{_FILES}',
        "services/s": f'from = "a"\n{_FILES}',
        "services/t": f'from = "a"\n{_FILES}',
    }
    root = write_workspace(folder / "ws", recipes)
    for name in recipes:
        write_tree(root, {f"{name}/src/x.txt": name})
    (root / "base/a/src/bulk").write_bytes(random.Random(0).randbytes(BULK_BYTES))
    settings = root / "orch.toml"
    settings.write_text('platforms = ["linux/amd64", "linux/arm64"]\n' + settings.read_text())
    write_lock(root)
    workspace = Workspace(root)
    workspace.orch("build", "--platform", "linux/amd64")
    return workspace


@pytest.fixture
def workspace(built: Workspace, tmp_path: Path) -> Workspace:
    """A workspace of its own, built."""
    shutil.copytree(built.root, tmp_path / "ws")
    shutil.copytree(built.root.parent / "cache", tmp_path / "cache")
    return Workspace(tmp_path / "ws")


@pytest.fixture
def namespace(registry: str) -> Namespace:
    return Namespace(registry, f"push/{uuid.uuid4().hex}")


def repositories(namespace: Namespace) -> list[Repository]:
    return [namespace.repository(name) for name in NAMES]


@pytest.fixture
def inspect(require_tool: Callable[[str], Path]) -> Callable[..., dict[str, Any]]:
    """Return `skopeo inspect` as a function."""
    skopeo = require_tool("skopeo")

    def run(reference: str, *options: str) -> dict[str, Any]:
        command = [str(skopeo), "inspect", "--tls-verify=false", *options, f"docker://{reference}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        shown: dict[str, Any] = json.loads(done.stdout)
        return shown

    return run


def test_others_read_the_digest_that_was_reported(
    built: Workspace, namespace: Namespace, inspect: Callable[..., dict[str, Any]]
) -> None:
    for name, image in built.push(namespace).items():
        for tag in image["tags"]:
            shown = inspect(f"{namespace.repository(name)}:{tag['tag']}")
            assert shown["Digest"] == image["digest"]
            assert shown["Name"] == image["repository"]


def test_others_find_each_platform_in_the_index(
    workspace: Workspace, namespace: Namespace, inspect: Callable[..., dict[str, Any]]
) -> None:
    workspace.orch("build", "--platform", "linux/arm64")
    (image,) = workspace.push(namespace, "s").values()
    assert len(image["platforms"]) == 2
    for platform in image["platforms"]:
        _, _, architecture = platform["platform"].partition("/")
        reference = f"{namespace.repository('s')}:latest"
        shown = inspect(reference, "--override-arch", architecture)
        assert shown["Architecture"] == architecture
    index = inspect(f"{namespace.repository('s')}@{image['digest']}", "--raw")
    digests = {item["platform"]["architecture"]: item["digest"] for item in index["manifests"]}
    assert set(digests.values()) == {item["digest"] for item in image["platforms"]}


def test_others_find_the_documents_that_refer_to_an_image(
    built: Workspace, namespace: Namespace, inspect: Callable[..., dict[str, Any]]
) -> None:
    pushed = built.push(namespace)
    again = built.push(namespace, "--tag", "again")
    for name, image in pushed.items():
        place = namespace.repository(name)
        listed = inspect(f"{place}:{image['digest'].replace(':', '-')}", "--raw")["manifests"]
        assert len(listed) == 2
        assert [row["digest"] for row in image["referrers"]] == [row["digest"] for row in listed]
        for row in listed:
            manifest = inspect(f"{place}@{row['digest']}", "--raw")
            assert manifest["artifactType"] == row["artifactType"]
            assert manifest["subject"]["digest"] == image["digest"]
        assert {row["status"] for row in again[name]["referrers"]} == {"there"}
        assert again[name]["digest"] == image["digest"]


def test_others_find_provenance_of_an_index_beside_that_of_its_platforms(
    workspace: Workspace, namespace: Namespace, inspect: Callable[..., dict[str, Any]]
) -> None:
    workspace.orch("build", "--platform", "linux/arm64")
    (image,) = workspace.push(namespace, "s").values()
    place = namespace.repository("s")
    subjects = {"": image["digest"]}
    subjects |= {one["platform"]: one["digest"] for one in image["platforms"]}
    assert len(subjects) == 3
    for platform, digest in subjects.items():
        listed = inspect(f"{place}:{digest.replace(':', '-')}", "--raw")["manifests"]
        told = [row for row in image["referrers"] if row["platform"] == platform]
        assert {row["digest"] for row in listed} == {row["digest"] for row in told}
        assert "provenance" in {row["kind"] for row in told}
        for row in listed:
            assert inspect(f"{place}@{row['digest']}", "--raw")["subject"]["digest"] == digest


def test_what_is_uploaded_after_a_change_of_the_base_is_the_new_layers(
    workspace: Workspace, namespace: Namespace
) -> None:
    before = workspace.push(namespace)
    bulk = random.Random(1).randbytes(BULK_BYTES)
    (workspace.root / "base/a/src/bulk").write_bytes(bulk)
    workspace.orch("build", "--platform", "linux/amd64")
    after = workspace.push(namespace)
    uploaded = sum(image["blobs"]["uploaded"]["bytes"] for image in after.values())
    assert {image["status"] for image in after.values()} == {"pushed"}
    assert BULK_BYTES <= uploaded <= 1.01 * BULK_BYTES
    assert after["s"]["blobs"]["mounted"]["bytes"] >= BULK_BYTES
    assert before["s"]["digest"] != after["s"]["digest"]


@pytest.fixture(scope="module")
def duration_s(built: Workspace, registry: str) -> float:
    """How long an undisturbed push takes, on this machine, now."""
    begin = time.monotonic()
    built.push(Namespace(registry, f"push/{uuid.uuid4().hex}"))
    return time.monotonic() - begin


def test_a_push_killed_at_any_moment_leaves_no_tag_of_an_incomplete_image(
    built: Workspace, namespace: Namespace, duration_s: float, kill: int
) -> None:
    moment_s = (0.3 + 0.7 * random.Random(kill).random()) * duration_s
    with built.start("push", "--registry", str(namespace)) as process:
        try:
            process.wait(moment_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.communicate()
    check_tags_are_whole(repositories(namespace))
    done = built.push(namespace)
    assert {image["status"] for image in done.values()} <= {"pushed", "unchanged"}
    assert check_tags_are_whole(repositories(namespace)) == 2 * len(NAMES)


@pytest.fixture(scope="module")
def requests(built: Workspace, registry: str) -> int:
    """How many requests a push makes."""
    with FaultProxy(registry).running() as proxy:
        built.push(Namespace(proxy.address, f"push/{uuid.uuid4().hex}"))
        return len(proxy.asked)


def test_a_push_killed_at_any_request_leaves_no_tag_of_an_incomplete_image(
    built: Workspace, namespace: Namespace, requests: int, kill: int
) -> None:
    number = random.Random(kill).randint(1, requests * 9 // 10)
    with FaultProxy(namespace.host, Fault.STALL, {number}).running() as proxy:
        place = str(Namespace(proxy.address, namespace.path))
        with built.start("push", "--registry", place) as process:
            assert proxy.is_stalled.wait(TIMEOUT_S)
            process.send_signal(signal.SIGKILL)
            process.communicate()
    assert process.returncode == -signal.SIGKILL
    check_tags_are_whole(repositories(namespace))
    done = built.push(namespace)
    assert {image["status"] for image in done.values()} <= {"pushed", "unchanged"}
    assert check_tags_are_whole(repositories(namespace)) == 2 * len(NAMES)


def test_two_processes_that_push_overlapping_images_at_once_are_both_right(
    built: Workspace, namespace: Namespace
) -> None:
    given = ("--registry", str(namespace))
    with built.start("push", "a", "s", *given) as one, built.start("push", "a", "t", *given) as two:
        said = [process.communicate(timeout=TIMEOUT_S)[1] for process in (one, two)]
    assert [one.returncode, two.returncode] == [0, 0], said
    assert check_tags_are_whole(repositories(namespace)) == 2 * len(NAMES)


@pytest.mark.parametrize("number", [1, 9, 20])
def test_a_push_that_waits_for_an_answer_is_interrupted_at_once_and_reports(
    built: Workspace, namespace: Namespace, tmp_path: Path, number: int
) -> None:
    report = tmp_path / "report.json"
    with FaultProxy(namespace.host, Fault.STALL, {number}).running() as proxy:
        place = str(Namespace(proxy.address, namespace.path))
        with built.start("push", "--registry", place, "--report", str(report)) as process:
            assert proxy.is_stalled.wait(TIMEOUT_S)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)  # not as long as an answer may take
    assert process.returncode == 130, err
    assert "Traceback" not in err
    images = json.loads(report.read_text())["images"]
    assert {image["status"] for image in images} <= {"cancelled", "pushed"}
    assert "cancelled" in {image["status"] for image in images}
    check_tags_are_whole(repositories(namespace))


@pytest.fixture(scope="module")
def tokens() -> Iterator[TokenServer]:
    with required(token_server(USER, PASSWORD)) as tokens:
        yield tokens


@pytest.fixture(scope="module")
def guarded(tokens: TokenServer) -> Iterator[str]:
    """A registry that wants tokens."""
    with required(run_registry(tokens=tokens)) as address:
        yield address


def command_lines(of: int) -> bytes:
    """Return the command lines and environments of a process and its children."""
    found = b""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if str(of) in {folder.name, parent}:
                found += (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except (OSError, IndexError):
            continue
    return found


def test_a_password_from_a_helper_is_in_no_output_file_or_process_list(
    workspace: Workspace, guarded: str, tokens: TokenServer, tmp_path: Path
) -> None:
    helper = tmp_path / "bin/docker-credential-tests"
    write_tree(tmp_path, {"bin/docker-credential-tests": ""})
    answer = json.dumps({"ServerURL": guarded, "Username": USER, "Secret": PASSWORD})
    helper.write_text(f"#!/bin/sh\nprintf '%s' '{answer}'\n")
    helper.chmod(0o755)
    write_tree(tmp_path, {"docker/config.json": '{"credsStore": "tests"}'})
    more = {"DOCKER_CONFIG": str(tmp_path / "docker"), "CI": "1"}
    more["PATH"] = f"{helper.parent}:{os.environ['PATH']}"
    namespace, report = Namespace(guarded, "secret"), tmp_path / "report.json"
    given = ("-v", "push", "--registry", str(namespace), "--report", str(report))
    seen: list[bytes] = []
    with workspace.start(*given, **more) as process:
        watching = threading.Event()

        def watch() -> None:
            while not watching.is_set():
                seen.append(command_lines(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        out, err = process.communicate(timeout=TIMEOUT_S)
        watching.set()
        watcher.join()
    assert process.returncode == 0, err
    assert "registry.asked" in err, "the log is on"
    known = Credentials(USER, PASSWORD)
    assert check_tags_are_whole(repositories(namespace), known) == 2 * len(NAMES)
    state = [path for path in (workspace.root / ".orch").rglob("*") if path.is_file()]
    kept = b"".join(path.read_bytes() for path in state if path.stat().st_size < BULK_BYTES)
    everything = (out + err).encode() + report.read_bytes() + kept + b"".join(seen)
    packed = base64.b64encode(f"{USER}:{PASSWORD}".encode())
    assert tokens.granted
    assert any(b"push" in lines for lines in seen), "the process list was looked at"
    for planted in (PASSWORD.encode(), packed, *(token.encode() for token in tokens.granted)):
        assert planted not in everything


def test_docker_pulls_and_runs_what_was_pushed(
    docker26: DockerEngine, namespace: Namespace
) -> None:
    try:
        build_image("webhook")
    except UnavailableImageError as unavailable:
        skip_unavailable(unavailable)
    place = ("--registry", str(namespace), "--format", "json")
    pushed = subprocess.run(
        [ORCH, "-C", REPOSITORY, "push", "webhook", *place],
        capture_output=True,
        text=True,
        check=False,
    )
    assert pushed.returncode == 0, pushed.stderr
    (image,) = json.loads(pushed.stdout)["images"]
    docker = docker26.client()
    try:
        pulled = docker.images.pull(image["repository"], tag="latest")
        assert image["reference"] in pulled.attrs["RepoDigests"]
        said = docker.containers.run(
            pulled, ["-c", "import fastapi; print('it runs')"], entrypoint="python", remove=True
        )
        assert said.strip() == b"it runs"
        docker.images.remove(image["reference"], force=True)
    finally:
        docker.close()
