"""Workspaces of Dockerfiles, built by real engines: 26 with named contexts, 20.10 without."""

from __future__ import annotations

import os
import socket
import socketserver
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import ImageNotFound

from tests.real.containers import address_of, run_detached, wait_until_healthy
from tests.real.docker_engine import DockerEngine
from tests.real.site import ROOT_DOCKERFILE, TREE, Ran, Site
from tests.servers import serving
from tests.wheels import make_wheel


@pytest.fixture
def busybox(require_tool: Callable[[str], Path]) -> Path:
    return require_tool("busybox")


@pytest.fixture
def site(tmp_path: Path, docker_engine: DockerEngine, busybox: Path) -> Site:
    """A workspace on each engine in turn."""
    made = Site(tmp_path, docker_engine, busybox)
    made.write(TREE)
    return made


@pytest.fixture
def site26(tmp_path: Path, docker26: DockerEngine, busybox: Path) -> Site:
    return Site(tmp_path, docker26, busybox)


@pytest.fixture
def client(docker_engine: DockerEngine) -> Iterator[docker.DockerClient]:
    client = docker_engine.client()
    yield client
    client.close()


def layers(client: docker.DockerClient, name: str) -> list[str]:
    found: dict[str, Any] = client.images.get(name).attrs
    return list(found["RootFS"]["Layers"])


def output(client: docker.DockerClient, name: str, *command: str) -> str:
    shown: bytes = client.containers.run(name, list(command) or None, remove=True)
    return shown.decode()


def well(ran: Ran) -> Ran:
    assert ran.code == 0, ran.said
    return ran


def test_a_workspace_is_built_once_and_runs_and_what_is_edited_is_built_again(
    site: Site, client: docker.DockerClient
) -> None:
    assert well(site.build()).with_status("built") == {"root", "web", "api", "job"}
    with run_detached(client, "api") as container:
        wait_until_healthy(f"http://{address_of(container)}:8080/health", container)

    assert layers(client, "api")[: len(layers(client, "web"))] == layers(client, "web")
    assert layers(client, "web")[: len(layers(client, "root"))] == layers(client, "root")
    job = client.images.get("job")
    assert layers(client, "job")[: len(layers(client, "web"))] == layers(client, "web")
    assert job.attrs["Config"]["User"] == "1000", "the stage web is not the image web"

    assert well(site.build()).with_status("reused") == {"root", "web", "api", "job"}

    site.write({"services/api/www/health": "ok, still\n"})
    assert well(site.build()).with_status("built") == {"api"}
    assert output(client, "api", "cat", "/www/health") == "ok, still\n"

    before = client.images.get("web").id
    site.write({"base/web/conf": "conf 2\n"})
    assert well(site.build()).with_status("built") == {"web", "api", "job"}
    assert output(client, "api", "cat", "/etc/web.conf") == "conf 2\n"
    with pytest.raises(ImageNotFound):  # superseded, and nobody else's
        client.images.get(str(before))


def test_an_edit_that_keeps_size_and_time_reaches_the_image(
    site: Site, client: docker.DockerClient
) -> None:
    well(site.build("api"))
    file = site.root / "services/api/www/health"
    status = file.stat()
    file.write_text("ko\n")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    well(site.build("api"))
    assert output(client, "api", "cat", "/www/health") == "ko\n"


def test_of_two_ignore_files_the_dockerfile_s_own_alone_excludes(
    site: Site, client: docker.DockerClient
) -> None:
    files = {".dockerignore": "www\n", "Dockerfile.dockerignore": "www/other\n"}
    files |= {"www/other": "no\n", "Dockerfile": "FROM web\nCOPY . /\n"}
    site.write({f"services/api/{name}": text for name, text in files.items()})
    well(site.build("api"))
    shown = output(client, "api", "sh", "-c", "cat /www/health /.dockerignore; echo /www/*")
    assert shown == "ok\nwww\n/www/health\n"


def test_an_image_of_nothing_may_copy_from_one_of_the_workspace(
    site26: Site, docker26: DockerEngine
) -> None:
    site26.write(
        {
            **TREE,
            "services/tool/Dockerfile": "FROM scratch\nCOPY --from=root /bin/busybox /tool\n",
        }
    )
    assert well(site26.build("tool")).with_status("built") == {"root", "tool"}
    engine = docker26.client()
    assert len(layers(engine, "tool")) == 1
    engine.close()


def test_recipes_and_dockerfiles_stand_on_each_other(
    site: Site, client: docker.DockerClient, busybox: Path
) -> None:
    (site.root / "base/bottom").mkdir()
    (site.root / "base/bottom/busybox").write_bytes(busybox.read_bytes())
    file = '[[files]]\nfrom = "{0}"\nto = "/{1}"\nmode = "0755"\n'
    site.write(
        {
            "base/bottom/image.toml": 'from = "debian:bookworm"\n'
            + file.format("busybox", "bin/busybox")
            + '[config]\nenv = {FROM_RECIPE = "yes"}\n',
            "base/tools/Dockerfile": "FROM bottom\n"
            'RUN ["/bin/busybox", "--install", "-s", "/bin"]\nENV FROM_DOCKERFILE=yes\n',
            "services/recipe/image.toml": 'from = "tools"\n'
            + file.format("x", "x")
            + '[config]\ncommand = ["sh", "-c", "cat /x; echo $FROM_RECIPE $FROM_DOCKERFILE"]\n',
            "services/recipe/x": "x of a recipe\n",
            "services/top/Dockerfile": "FROM recipe\nRUN cat /x > /y\n",
        }
    )
    well(site.orch("lock"))
    well(site.build("--load", "top", "recipe", "tools"))
    assert output(client, "recipe") == "x of a recipe\nyes yes\n"
    assert output(client, "top", "cat", "/y") == "x of a recipe\n"
    assert layers(client, "top")[: len(layers(client, "recipe"))] == layers(client, "recipe")
    assert layers(client, "recipe")[: len(layers(client, "tools"))] == layers(client, "tools")
    assert well(site.build("top")).with_status("built") == set()


def test_python_packages_stand_on_the_interpreter_that_a_dockerfile_put_there(
    site26: Site, docker26: DockerEngine
) -> None:
    house = site26.root.parent / "wheels"
    make_wheel(house, "lib")
    (house / "index").mkdir()
    run = "RUN mkdir -p /usr/local/bin && ln -s /bin/sh /usr/local/bin/python3.1"
    site26.write(
        {
            "orch.toml": "[debian]\nessential = []\n[python]\n"
            f'index-url = "{(house / "index").as_uri()}"\nfind-links = ["{house}"]\n',
            "base/root/Dockerfile": ROOT_DOCKERFILE,
            "services/api/image.toml": 'from = "root"\n'
            '[python]\nrequirements = ["requirements.txt"]\nbytecode = false\n',
            "services/api/requirements.txt": "lib\n",
        }
    )
    site26.write({"base/root/Dockerfile": f"{ROOT_DOCKERFILE}{run}1\n"})  # beside its busybox
    well(site26.orch("lock"))
    well(site26.build("--load"))
    client = docker26.client()
    try:
        link = output(client, "api", "readlink", "/opt/venv/bin/python")
    finally:
        client.close()
    assert link == "/usr/local/bin/python3.11\n"

    site26.write({"base/root/Dockerfile": f"{ROOT_DOCKERFILE}{run}2\n"})
    ran = site26.build("api")
    assert ran.images["api"]["status"] == "failed"
    assert "root has only /usr/local/bin/python3.12" in ran.said


def test_a_report_says_what_each_layer_weighs_and_which_instruction_made_it(site: Site) -> None:
    busybox = (site.root / "base/root/busybox").stat().st_size
    for status in ("built", "reused"):
        image = well(site.build("web")).images["web"]
        assert image["status"] == status
        told = [(layer["what"].split()[0], layer["unpacked_bytes"]) for layer in image["layers"]]
        assert told == [("COPY", busybox), ("RUN", 0), ("COPY", len("conf 1\n"))]
        assert sum(layer["size_bytes"] for layer in image["layers"]) == image["size_bytes"]


def test_a_failing_step_is_told_with_its_line_its_output_and_its_log(site: Site) -> None:
    site.write({"services/job/Dockerfile": "FROM web\nRUN echo to see >&2; exit 7\n"})
    ran = site.build()
    assert ran.code == 1
    assert ran.statuses == {"root": "built", "web": "built", "api": "built", "job": "failed"}
    error = ran.images["job"]["error"]
    assert "exit code: 7" in error["message"]
    assert "\n  | to see" in error["message"]
    assert error["log"] == ".orch/logs/job.log"
    assert "to see" in site.log("job")


def test_the_line_of_a_failing_step_is_named(site26: Site) -> None:
    site26.write({**TREE, "services/job/Dockerfile": "FROM web\n\nRUN exit 7\n"})
    error = site26.build("job").images["job"]["error"]
    assert error["message"].startswith("services/job/Dockerfile:3: RUN exit 7")


def test_one_of_thirty_fails_and_stops_only_what_stands_on_it(site26: Site) -> None:
    files = {"orch.toml": "", "base/first/Dockerfile": ROOT_DOCKERFILE}
    for number in range(24):
        files[f"services/free{number:02}/Dockerfile"] = "FROM first\nCOPY Dockerfile /\n"
    files["base/bad/Dockerfile"] = "FROM first\nRUN exit 1\n"
    files["base/worse/Dockerfile"] = "FROM bad\nCOPY Dockerfile /\n"
    for number in range(3):
        files[f"services/held{number}/Dockerfile"] = "FROM worse\nCOPY Dockerfile /\n"
    site26.write(files)
    ran = site26.build()
    assert ran.code == 1
    assert len(ran.images) == 30
    assert ran.with_status("failed") == {"bad"}
    assert ran.with_status("skipped") == {"worse", "held0", "held1", "held2"}
    assert len(ran.with_status("built")) == 25
    assert ran.images["worse"]["because"] == "bad failed"
    assert ran.images["held0"]["because"] == "worse was skipped"


def test_of_light_images_that_share_a_process_only_the_one_at_fault_fails(site26: Site) -> None:
    files = {"orch.toml": "", "base/first/Dockerfile": ROOT_DOCKERFILE}
    for number in range(6):
        files[f"services/free{number}/Dockerfile"] = "FROM first\nCOPY Dockerfile /\n"
    files["services/bad/Dockerfile"] = "FROM first\nCOPY --from=first /nowhere /\n"
    site26.write(files)
    ran = site26.build()
    assert ran.code == 1
    assert (ran.with_status("failed"), len(ran.with_status("built"))) == ({"bad"}, 7)
    assert ran.images["bad"]["error"]["message"].startswith("services/bad/Dockerfile:2: ")
    assert "/nowhere" in site26.log("bad")
    assert "/nowhere" not in site26.log("free0")
    assert "COPY Dockerfile /" in site26.log("free0")


def test_of_light_images_that_stand_on_each_other_only_those_on_the_one_at_fault_are_left_out(
    site26: Site, docker26: DockerEngine
) -> None:
    files = {"orch.toml": "", "base/bottom/Dockerfile": "FROM scratch\nCOPY Dockerfile /bottom\n"}
    on = {"good": "bottom", "bad": "bottom", "better": "good", "worse": "bad"}
    for name, parent in on.items():
        files[f"base/{name}/Dockerfile"] = f"FROM {parent}\nENV {name}=1\nCOPY Dockerfile /{name}\n"
    files["base/bad/Dockerfile"] = "FROM bottom\nCOPY --from=bottom /nowhere /\n"
    site26.write(files)
    ran = site26.build()
    assert (ran.code, ran.with_status("failed")) == (1, {"bad"})
    assert ran.with_status("built") == {"bottom", "good", "better"}
    assert ran.images["worse"]["because"] == "bad failed"
    what = [layer["what"] for layer in ran.images["better"]["layers"]]
    assert [text.split()[2] for text in what] == ["/bottom", "/good", "/better"]
    client = docker26.client()
    for name in ("good", "better"):
        assert layers(client, name)[:-1] == layers(client, on[name])
    environment = client.images.get("better").attrs["Config"]["Env"]
    client.close()
    assert {"good=1", "better=1"} <= set(environment)


def test_the_engine_of_a_docker_context_builds(
    site26: Site, docker26: DockerEngine, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.mkdir()
    plugins = Path(site26.environment["DOCKER_CONFIG"]) / "cli-plugins"
    (config / "cli-plugins").symlink_to(plugins.resolve())
    site26.environment["DOCKER_CONFIG"] = str(config)
    del site26.environment["DOCKER_HOST"]
    for words in (("create", "far", f"--docker=host={docker26.host}"), ("use", "far")):
        command = ["docker", "context", *words]
        subprocess.run(command, env=site26.environment, check=True, capture_output=True)
    site26.write(TREE)
    assert well(site26.build()).with_status("built") == {"root", "web", "api", "job"}
    assert well(site26.build()).with_status("reused") == {"root", "web", "api", "job"}


def test_secrets_reach_the_build_and_nothing_that_is_written(site26: Site) -> None:
    site26.write(
        {
            **TREE,
            "orch.toml": 'registry = "registry.example.com/team"\n[image.job]\n'
            'secrets = [{id = "word", env = "PASS_WORD"}, {id = "key", file = "key"}]\n',
            "key": "content of the key\n",
            "services/job/Dockerfile": "FROM web\n"
            "RUN --mount=type=secret,id=word --mount=type=secret,id=key "
            "cat /run/secrets/word /run/secrets/key; wc -c < /run/secrets/word; exit 1\n",
        }
    )
    assert "needs $PASS_WORD" in site26.build("job").said
    site26.environment["PASS_WORD"] = "open sesame"
    ran = site26.build("job")
    assert "  | 11" in ran.said
    written = [ran.said, site26.report.read_text(), site26.log("job")]
    written += [str((site26.root / ".orch/state.db").read_bytes())]
    for text in written:
        assert "sesame" not in text
        assert "content of" not in text


def test_named_contexts_are_given_and_count(site26: Site) -> None:
    site26.write(
        {
            **TREE,
            "orch.toml": 'registry = "registry.example.com/team"\n'
            '[image.job]\ncontexts = {common = "shared"}\n',
            "shared/one": "1",
            "services/job/Dockerfile": "FROM web\nCOPY --from=common one /one\n",
        }
    )
    well(site26.build("job"))
    site26.write({"shared/one": "2"})
    assert well(site26.build("job")).with_status("built") == {"job"}


def test_without_an_engine_dockerfiles_are_unavailable_and_the_socket_is_named(
    site26: Site,
) -> None:
    site26.write(TREE)
    site26.environment["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
    ran = site26.build()
    assert (ran.code, ran.with_status("unavailable")) == (0, {"root", "web", "api", "job"})
    assert "no Docker engine answers at unix:///nowhere/docker.sock" in ran.said
    assert site26.build("api").code == 3


@contextmanager
def overheard(site: Site, folder: Path) -> Iterator[list[str]]:
    """Stand between `orch` and the engine; the value are the requests that were made."""
    requests: list[str] = []
    real = site.environment["DOCKER_HOST"].removeprefix("unix://")

    class Relay(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked = b""
            while line := self.rfile.readline():
                asked += line
                if not line.strip():
                    break
            requests.append(asked.decode().partition("?")[0])
            with socket.socket(socket.AF_UNIX) as engine:
                engine.connect(real)
                engine.sendall(asked)
                while data := engine.recv(65536):
                    self.wfile.write(data)

    path = folder / "between.sock"
    with serving(socketserver.ThreadingUnixStreamServer(str(path), Relay)):
        site.environment["DOCKER_HOST"] = f"unix://{path}"
        yield requests


def test_a_build_with_nothing_to_do_asks_the_engine_one_thing(site26: Site, tmp_path: Path) -> None:
    site26.write(TREE)
    well(site26.orch("build"))
    with overheard(site26, tmp_path) as requests:
        assert "4 reused" in well(site26.orch("build")).said
    assert requests == ["GET /images/json"]
