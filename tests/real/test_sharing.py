"""Wheels shared by machines: pushed by one, used by others, through a bucket or a folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from orchestrator.lockfile import parse_lock
from orchestrator.lockwriting import format_lock
from orchestrator.model import LockedWheel, WheelBuild
from orchestrator.resolve.builds import settings_digest
from orchestrator.settings import read_settings
from tests import verbs
from tests.buckets import KEY_ID, SECRET, TOKEN, Bucket
from tests.conftest import give_up
from tests.real.moto import moto as run_moto
from tests.real.parts import MissingPartError, find_tool
from tests.tiny import AMD64, Tiny

WITHIN_S = 120
_PROGRAM = """
import sys
from pathlib import Path
def note(event, arguments):
    if event in {"subprocess.Popen", "os.exec", "os.posix_spawn"}:
        with Path(sys.argv[1]).open("a") as log:
            print(event, arguments[:2], file=log)
sys.addaudithook(note)
from orchestrator.cli import main
main(sys.argv[2:])
"""


class Ran(verbs.Ran):
    @property
    def statuses(self) -> dict[str, str]:
        return {item["name"]: item["status"] for item in self.data["wheels"]}


@dataclass(frozen=True)
class Machine:
    """A machine with a cache of its own; `inside` is what goes before its commands."""

    root: Path
    cache: Path
    env: dict[str, str] = field(default_factory=dict)
    inside: Sequence[str] = ()

    @property
    def commands(self) -> Path:
        """What its processes started: program and arguments, a line each."""
        return self.cache.with_suffix(".commands")

    def orch(
        self, *arguments: str | Path, code: int = 0, env: Mapping[str, str] | None = None
    ) -> Ran:
        """Run a verb, which must end with `code` and never with a traceback."""
        done = subprocess.run(
            [*self.inside, sys.executable, "-c", _PROGRAM, self.commands, *arguments],
            cwd=self.root,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.cache),
                "ORCH_CACHE": str(self.cache),
                "PIP_CONFIG_FILE": os.devnull,
                "AWS_EC2_METADATA_DISABLED": "true",
                "NO_PROXY": "*",
                **self.env,
                **(env or {}),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=WITHIN_S,
        )
        said = f"{arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, said
        assert done.returncode == code, said
        return Ran(done.returncode, done.stdout, done.stderr)

    def elsewhere(self, name: str) -> Machine:
        """Return a machine with the same workspace, nothing built and nothing in the cache."""
        root = self.root.with_name(name)
        shutil.copytree(self.root, root, ignore=shutil.ignore_patterns(".orch"))
        return replace(self, root=root, cache=self.cache.with_name(f"cache-{name}"))

    def digests(self) -> dict[str, str]:
        """Build everything; return the images' digests."""
        report = self.root / "report.json"
        self.orch("build", "--report", report)
        images = json.loads(report.read_text())["images"]
        return {image["name"]: image["digest"] for image in images}


_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": KEY_ID,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_SESSION_TOKEN": TOKEN,
}


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    """A workspace whose packages are all in folders; `client` was built from an sdist."""
    tiny = Tiny.make(tmp_path / "ws", tmp_path / "sources", tmp_path / "cache")
    image = tiny.adds["api"]
    (client,) = image.wheels
    sdist = LockedWheel("client", "1.0", "client-1.0.tar.gz", "5" * 64, 1000)
    tiny.adds["api"] = replace(image, wheels=(sdist,))
    tiny.lock()
    lock = parse_lock((tiny.root / "orch.lock").read_text())
    asked = settings_digest(read_settings(tiny.root), sdist.name)
    built = WheelBuild(sdist, AMD64, settings=asked, wheel=client, compiler="gcc")
    (tiny.root / "orch.lock").write_text(format_lock(lock.with_builds([built])))
    return tiny


def forget_wheels(tiny: Tiny) -> None:
    """Take the wheels off the index: what has them now is the level alone."""
    shutil.rmtree(tiny.sources / "wheels")
    (tiny.sources / "wheels").mkdir()


def share(tiny: Tiny, settings: str) -> None:
    with (tiny.root / "orch.toml").open("a") as file:
        file.write(f"[wheelhouse]\n{settings}\n")


@pytest.fixture
def bucket(moto: str) -> Bucket:
    return Bucket.made(moto)


@pytest.fixture
def place(request: pytest.FixtureRequest, tiny: Tiny, tmp_path: Path) -> str:
    """A shared place of the workspace, empty: a bucket, where no folder is asked for."""
    if getattr(request, "param", "s3") == "folder":
        folder = tmp_path / "shared"
        folder.mkdir()
        share(tiny, f'shared = ["{folder}"]')
        return str(folder)
    bucket: Bucket = request.getfixturevalue("bucket")
    share(tiny, f'shared = ["s3://{bucket.name}/team"]\nendpoint-url = "{bucket.endpoint}"')
    return f"s3://{bucket.name}/team"


@pytest.fixture
def machine(tiny: Tiny) -> Machine:
    """The first machine, which has all wheels in its cache: what it fetched and what it built."""
    for wheel in (tiny.sources / "wheels").iterdir():
        sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
        kept = tiny.cache / "downloads" / sha256[:2] / sha256
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(wheel, kept)
    next((tiny.sources / "wheels").glob("client-*.whl")).unlink()
    return Machine(tiny.root, tiny.cache, _CREDENTIALS)


@pytest.fixture
def second(place: str, machine: Machine, tiny: Tiny) -> Machine:
    """Another machine, after the first pushed, with no wheels on the index any more."""
    machine.orch("wheels", "push")
    forget_wheels(tiny)
    return machine.elsewhere("second")


either = pytest.mark.parametrize("place", ["s3", "folder"], indirect=True)


@either
def test_another_machine_builds_with_what_one_pushed(machine: Machine, second: Machine) -> None:
    assert second.digests() == machine.digests()


def test_what_was_pushed_is_not_pushed_again(place: str, machine: Machine) -> None:
    first = machine.orch("wheels", "push", "--format", "json")
    names = {"alpha", "native", "web", "client"}
    assert first.statuses == dict.fromkeys(names, "pushed")
    assert {item["place"] for item in first.data["wheels"]} == {place}
    again = machine.orch("wheels", "push", "--format", "json")
    assert again.statuses == dict.fromkeys(names, "there")


def test_only_what_was_built_is_pushed_when_asked_so(place: str, machine: Machine) -> None:
    ran = machine.orch("wheels", "push", "--only-built", "--format", "json")
    assert ran.statuses == {"client": "pushed"}


def test_of_the_images_selected_and_what_they_stand_on_all_is_pushed(
    place: str, machine: Machine
) -> None:
    ran = machine.orch("wheels", "push", "python-web", "--format", "json")
    assert set(ran.statuses) == {"alpha", "native", "web"}


def test_a_dry_run_pushes_nothing(place: str, machine: Machine) -> None:
    dry = machine.orch("wheels", "push", "--dry-run", "--format", "json")
    assert set(dry.statuses.values()) == {"pushed"}
    assert dry.data["dry_run"] is True
    assert "would be: 4 pushed" in dry.err
    real = machine.orch("wheels", "push", "--format", "json")
    assert set(real.statuses.values()) == {"pushed"}


def test_a_wheel_that_is_damaged_here_is_not_pushed(place: str, machine: Machine) -> None:
    files = [file for file in (machine.cache / "downloads").rglob("*") if file.is_file()]
    for file in files:
        file.write_bytes(file.read_bytes()[:-1] + b"!")
    ran = machine.orch("wheels", "push", "--format", "json")
    assert set(ran.statuses.values()) == {"absent"}
    assert "4 wheels are not on this machine, so they were not pushed" in ran.err


def test_a_pull_tells_what_came_from_where(place: str, second: Machine) -> None:
    dry = second.orch("wheels", "pull", "--dry-run", "--format", "json")
    assert set(dry.statuses.values()) == {"fetched"}
    pulled = second.orch("wheels", "pull", "--format", "json")
    assert pulled.data["wheels"] == dry.data["wheels"]
    assert {item["place"] for item in pulled.data["wheels"]} == {place}
    again = second.orch("wheels", "pull", "--format", "json")
    assert set(again.statuses.values()) == {"here"}


def test_a_pull_of_what_no_place_has_fails_and_brings_the_rest(
    place: str, machine: Machine, tiny: Tiny
) -> None:
    machine.orch("wheels", "push", "python-web")
    forget_wheels(tiny)
    ran = machine.elsewhere("second").orch("wheels", "pull", "--format", "json", code=1)
    assert ran.data["ok"] is False
    failed = [item for item in ran.data["wheels"] if item["status"] == "failed"]
    assert [item["name"] for item in failed] == ["client"]
    assert failed[0]["error"]["message"]
    assert ran.statuses["web"] == "fetched"


def spoil(place: str, tiny: Tiny, bucket: Bucket | None, name: str) -> None:
    """Put other bytes of the same size in the place of a wheel."""
    lock = parse_lock((tiny.root / "orch.lock").read_text())
    (wheel,) = {item for adds in lock.images.values() for item in adds.wheels if item.name == name}
    key = f"sha256/{wheel.sha256[:2]}/{wheel.sha256}"
    if bucket is None:
        (Path(place) / key).write_bytes(b"!" * wheel.size_bytes)
    else:
        bucket.client().put_object(
            Bucket=bucket.name, Key=f"team/{key}", Body=b"!" * wheel.size_bytes
        )


@either
def test_an_altered_wheel_is_said_in_a_line_and_mended_by_a_push(
    request: pytest.FixtureRequest, place: str, machine: Machine, tiny: Tiny
) -> None:
    bucket = request.getfixturevalue("bucket") if place.startswith("s3:") else None
    machine.orch("wheels", "push")
    spoil(place, tiny, bucket, "web")
    warned = machine.elsewhere("second").orch("build", "python-web")
    lines = [line for line in warned.err.splitlines() if "gave other bytes" in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"warning: {place} gave other bytes for web-1.0")
    machine.orch("wheels", "push", "--force")
    forget_wheels(tiny)
    assert "other bytes" not in machine.elsewhere("third").orch("build", "python-web").err


@pytest.mark.parametrize("place", ["folder"], indirect=True)
def test_a_truncated_wheel_is_pushed_again_without_force(place: str, machine: Machine) -> None:
    machine.orch("wheels", "push")
    for file in Path(place).rglob("sha256/*/*"):
        if not file.suffix:
            file.write_bytes(b"")
    again = machine.orch("wheels", "push", "--format", "json")
    assert set(again.statuses.values()) == {"pushed"}


def test_offline_a_folder_serves_and_all_that_is_missing_is_listed(
    tiny: Tiny, machine: Machine, tmp_path: Path
) -> None:
    share(tiny, f'shared = ["{tmp_path / "shared"}"]')
    machine.orch("wheels", "push", "python-web")
    second = machine.elsewhere("second")
    ran = second.orch("build", "--offline", code=1)
    assert "failed python-base: not on this machine" in ran.err
    listed = ran.err.partition("are not on this machine:\n")[2]
    lines = [line.strip() for line in listed.splitlines()[:3]]
    assert lines == ["base-passwd 1.0", "libc6 2.36-9", "client-1.0-py3-none-any.whl"]
    assert "are not on this machine:\n" in ran.err
    third = machine.elsewhere("third")
    pulled = third.orch("wheels", "pull", "--offline", "--format", "json", code=1)
    assert pulled.statuses == {
        "alpha": "fetched",
        "native": "fetched",
        "web": "fetched",
        "client": "failed",
    }


def test_offline_no_bucket_is_asked(tiny: Tiny, machine: Machine) -> None:
    share(tiny, 'shared = ["s3://wheels"]\nendpoint-url = "http://127.0.0.1:9"')
    ran = machine.elsewhere("second").orch("wheels", "pull", "--offline", code=1)
    assert "s3://" not in ran.err


def test_a_place_out_of_reach_is_one_warning_where_the_index_has_all(
    tiny: Tiny, machine: Machine
) -> None:
    share(tiny, 'shared = ["s3://wheels"]\nendpoint-url = "http://127.0.0.1:9"')
    ran = machine.elsewhere("second").orch("build", "python-web")
    assert ran.err.count("s3://wheels is out of reach") == 1


def test_a_variable_stands_in_for_the_settings(
    tiny: Tiny, machine: Machine, tmp_path: Path
) -> None:
    share(tiny, 'shared = ["s3://wheels"]\nendpoint-url = "http://127.0.0.1:9"')
    places = f"{tmp_path}/one {tmp_path}/two"
    ran = machine.orch("wheels", "push", "--format", "json", env={"ORCH_WHEELHOUSE": places})
    assert {item["place"] for item in ran.data["wheels"]} == set(places.split())
    (tmp_path / "three").mkdir()
    nowhere = machine.orch("wheels", "push", code=2, env={"ORCH_WHEELHOUSE": ""})
    assert "no shared place is configured" in nowhere.err


def test_a_push_goes_to_the_place_named(tiny: Tiny, machine: Machine, tmp_path: Path) -> None:
    share(tiny, f'shared = ["s3://elsewhere", "{tmp_path}/one"]')
    ran = machine.orch("wheels", "push", "--to", f"{tmp_path}/one", "--format", "json")
    assert {item["place"] for item in ran.data["wheels"]} == {f"{tmp_path}/one"}
    wrong = machine.orch("wheels", "push", "--to", "two", code=2)
    assert "two is no shared place" in wrong.err


def test_a_public_bucket_is_read_without_credentials_and_not_pushed_to(
    tiny: Tiny, machine: Machine, bucket: Bucket
) -> None:
    share(tiny, f'shared = ["s3://{bucket.name}"]\nendpoint-url = "{bucket.endpoint}"')
    bucket.client().put_bucket_acl(Bucket=bucket.name, ACL="public-read")
    machine.orch("wheels", "push")
    forget_wheels(tiny)
    with (tiny.root / "orch.toml").open("a") as file:
        file.write("anonymous = true\n")
    stranger = replace(machine.elsewhere("second"), env={})
    assert set(stranger.orch("wheels", "pull", "--format", "json").statuses.values()) == {"fetched"}
    refused = stranger.orch("wheels", "push", code=2)
    assert "is read without credentials, so nothing can be pushed" in refused.err


def test_without_credentials_a_push_says_what_to_do(
    tiny: Tiny, machine: Machine, bucket: Bucket
) -> None:
    share(tiny, f'shared = ["s3://{bucket.name}"]\nendpoint-url = "{bucket.endpoint}"')
    ran = replace(machine, env={}).orch("wheels", "push", code=3)
    assert "there are no AWS credentials here" in ran.err
    assert "hint: give credentials" in ran.err


def test_credentials_are_in_no_output_no_file_and_no_command(
    tiny: Tiny, machine: Machine, bucket: Bucket, tmp_path: Path
) -> None:
    share(tiny, f'shared = ["s3://{bucket.name}"]\nendpoint-url = "{bucket.endpoint}"')
    verbose = ("-v", "--log-format", "json")
    said = [machine.orch(*verbose, "wheels", "push", "--format", "json")]
    second = machine.elsewhere("second")
    said += [second.orch(*verbose, "build", "--report", "report.json")]
    absent = {"ORCH_WHEELHOUSE": "s3://no-such-bucket"}
    said += [machine.orch(*verbose, "wheels", "push", code=3, env=absent)]
    said += [second.orch(*verbose, "build", "--force", env=absent)]
    texts = [ran.out + ran.err for ran in said]
    assert '"event": "wheel.pushed"' in texts[0]
    written = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {second.commands, second.root / "report.json"} <= set(written)
    for secret in (KEY_ID, SECRET, TOKEN):
        assert not [text for text in texts if secret in text]
        assert not [file for file in written if secret.encode() in file.read_bytes()]


@contextmanager
def network() -> Iterator[Sequence[str]]:
    """Make a network of nothing but a loopback; its value is what goes before commands in it."""
    ip = str(find_tool("ip"))
    if os.geteuid() != 0:
        raise MissingPartError("a network namespace", "making one needs root")
    name = f"orch-{uuid.uuid4().hex[:8]}"
    subprocess.run([ip, "netns", "add", name], check=True)
    try:
        inside = [ip, "netns", "exec", name]
        subprocess.run([*inside, ip, "link", "set", "lo", "up"], check=True)
        yield inside
    finally:
        subprocess.run([ip, "netns", "delete", name], check=True)


def test_a_machine_in_another_network_without_a_compiler_gets_the_wheel_that_was_built(
    tiny: Tiny, machine: Machine, tmp_path: Path
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    try:
        (programs / "ip").symlink_to(find_tool("ip"))
    except MissingPartError as missing:
        give_up(missing)
    assert not shutil.which("gcc", path=programs)
    try:
        namespace = network()
        with namespace as inside, run_moto(inside) as endpoint:
            share(tiny, f'shared = ["s3://wheels"]\nendpoint-url = "{endpoint}"')
            first = replace(machine, inside=inside)
            make = "import boto3, sys; boto3.client('s3', endpoint_url=sys.argv[1])"
            subprocess.run(
                [*inside, sys.executable, "-c", f"{make}.create_bucket(Bucket='wheels')", endpoint],
                env={**_CREDENTIALS, "AWS_REGION": "us-east-1"},
                check=True,
            )
            first.orch("wheels", "push")
            expected = first.digests()
            forget_wheels(tiny)
            second = replace(first.elsewhere("second"), env={**_CREDENTIALS, "PATH": str(programs)})
            pulled = second.orch("wheels", "pull", "--format", "json").data
            places = {item["name"]: item["place"] for item in pulled["wheels"]}
            assert places["client"] == "s3://wheels"
            assert second.digests() == expected
    except MissingPartError as missing:
        give_up(missing)
