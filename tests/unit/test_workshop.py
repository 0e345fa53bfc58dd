"""Building wheels: alike wherever, alone, offline, once; and what is said when it fails."""

from __future__ import annotations

import ast
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import ArtifactError, InterruptedByUserError, UnavailableError
from orchestrator.model import Platform, WheelSettings
from orchestrator.paths import cache_folder
from orchestrator.resolve.python.offered import Target
from orchestrator.scratch import SCRATCH
from orchestrator.wheelhouse import toolchain
from tests.conftest import give_up
from tests.real.parts import MissingPartError
from tests.sdists import COMPILES, HERE, PYTHON, TAG, TARGET, Shop, make_buildable
from tests.wheels import make_wheel

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "DOCKER_AUTH_CONFIG",
    "DOCKER_HOST",
    "GITHUB_TOKEN",
    "PIP_INDEX_URL",
    "SECRET_TOKEN",
    "SSH_AUTH_SOCK",
    "UV_INDEX_URL",
}


@pytest.fixture
def shops(tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    opened: list[Shop] = []

    def open_shop(folder: str = "one", **settings: WheelSettings) -> Shop:
        opened.append(Shop(tmp_path / folder, settings))
        return opened[-1]

    yield open_shop
    for shop in opened:
        shop.downloads.close()


@pytest.fixture
def shop(shops: Callable[..., Shop]) -> Shop:
    return shops()


@pytest.fixture
def compiler(require_tool: Callable[[str], Path]) -> None:
    require_tool("gcc")


def writes(expression: str) -> str:
    return f"import os\nopen('made.txt', 'w').write(str({expression}))\n"


def made_text(shop: Shop, sdist: Path, *requires: Path) -> str:
    wheel = shop.make(sdist, *requires)
    with zipfile.ZipFile(shop.path(wheel)) as archive:
        return archive.read("native_made.txt").decode()


def test_an_extension_is_built_and_gets_an_honest_platform_tag(
    tmp_path: Path, shop: Shop, compiler: None
) -> None:
    wheel = shop.make(make_buildable(tmp_path))
    assert wheel.file.startswith(f"native-1.0-{TAG}-{TAG}-manylinux_2_")
    with zipfile.ZipFile(shop.path(wheel)) as archive:
        tags = archive.read("native-1.0.dist-info/WHEEL").decode()
        assert "-linux_" not in tags
        assert archive.namelist()[-1] == "native-1.0.dist-info/RECORD"


def test_two_folders_time_zones_and_umasks_give_the_same_bytes(
    tmp_path: Path,
    shops: Callable[..., Shop],
    compiler: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sdist = make_buildable(tmp_path)
    first = shops("a").make(sdist)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    monkeypatch.setenv("CFLAGS", "-O0")
    before = os.umask(0o077)
    try:
        second = shops("b/deeper/still").make(sdist)
    finally:
        os.umask(before)
    assert second == first


def test_the_folder_of_the_build_is_not_in_the_wheel(
    tmp_path: Path, shop: Shop, compiler: None
) -> None:
    wheel = shop.make(make_buildable(tmp_path))
    with zipfile.ZipFile(shop.path(wheel)) as archive:
        data = b"".join(archive.read(name) for name in archive.namelist())
    assert str(tmp_path).encode() not in data
    assert b"/build/src/" in data


def test_the_environment_of_this_machine_does_not_reach_a_build(
    tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in CREDENTIALS:
        monkeypatch.setenv(name, "hunter2")
    sdist = make_buildable(tmp_path, steps=writes("dict(os.environ)"))
    given = ast.literal_eval(made_text(shop, sdist))
    assert not CREDENTIALS & set(given)
    assert "hunter2" not in str(given)
    assert "SOURCE_DATE_EPOCH" in given


def test_a_build_finds_no_credentials_in_its_home(tmp_path: Path, shop: Shop) -> None:
    sdist = make_buildable(tmp_path, steps=writes("os.listdir(os.path.expanduser('~'))"))
    assert made_text(shop, sdist) == "[]"


def test_settings_give_a_build_variables_and_another_wheel(
    tmp_path: Path, shops: Callable[..., Shop]
) -> None:
    sdist = make_buildable(tmp_path, steps=writes("os.environ.get('MODE')"))
    assert made_text(shops("a", native=WheelSettings(env={"MODE": "fast"})), sdist) == "fast"
    assert made_text(shops("a"), sdist) == "None"


def test_pinned_requirements_are_there_and_nothing_else_is(tmp_path: Path, shop: Shop) -> None:
    helper = make_wheel(tmp_path, "helper", "2.0", {"helper.py": b"VALUE = 'helped'\n"})
    steps = "import helper\n" + writes("helper.VALUE")
    assert made_text(shop, make_buildable(tmp_path, steps=steps), helper) == "helped"
    with pytest.raises(ArtifactError, match="No module named 'helper'") as caught:
        shop.make(make_buildable(tmp_path / "b", "native", "2.0", steps=steps))
    assert 'requires = ["helper"] to [wheels.native]' in caught.value.hint


def test_a_build_has_no_network(tmp_path: Path, shop: Shop) -> None:
    if not toolchain.without_network():
        give_up(MissingPartError("a network namespace", "this user may not have one"))
    steps = "import socket\n" + writes("socket.socket().connect_ex(('127.0.0.1', 9))")
    unreachable = 101
    assert made_text(shop, make_buildable(tmp_path, steps=steps)) == str(unreachable)


def test_the_same_inputs_are_built_once(tmp_path: Path, shop: Shop) -> None:
    sdist = make_buildable(tmp_path, steps="")
    assert shop.make(sdist) == shop.make(sdist)
    assert shop.builds == 1
    shop.make(sdist, anew=True)
    assert shop.builds == 2


def test_another_requirement_is_another_build(tmp_path: Path, shop: Shop) -> None:
    sdist = make_buildable(tmp_path, steps="")
    shop.make(sdist)
    shop.make(sdist, make_wheel(tmp_path, "helper", "2.0"))
    assert shop.builds == 2


def test_threads_that_want_the_same_wheel_build_it_once(tmp_path: Path, shop: Shop) -> None:
    sdist = make_buildable(tmp_path, steps="")
    build = shop.build(sdist)
    start = threading.Barrier(3)

    def make() -> str:
        start.wait()
        made = shop.workshop.make(build, TARGET).wheel
        assert made is not None
        return made.sha256

    with ThreadPoolExecutor(3) as pool:
        made = {future.result() for future in [pool.submit(make) for _ in range(3)]}
    assert (len(made), shop.builds) == (1, 1)


@pytest.mark.parametrize("damage", [b"", b"other bytes"])
def test_a_damaged_wheel_is_thrown_away_and_built_again(
    tmp_path: Path, shop: Shop, damage: bytes
) -> None:
    sdist = make_buildable(tmp_path, steps="")
    wheel = shop.make(sdist)
    shop.path(wheel).write_bytes(damage)
    assert shop.make(sdist) == wheel
    assert shop.builds == 2
    assert shop.workshop.warnings == [
        f"{wheel.file} was damaged in the cache; thrown away and built again"
    ]


def test_what_the_lock_records_is_built_again_where_it_is_gone(tmp_path: Path, shop: Shop) -> None:
    build = shop.build(make_buildable(tmp_path, steps=""))
    wheel = shop.workshop.make(build, TARGET).wheel
    assert wheel is not None
    shop.path(wheel).unlink()
    artifact = shop.workshop.artifact(replace(build, wheel=wheel), wheel, TARGET)
    assert artifact.locate() == (shop.path(wheel).as_uri(),)


def test_another_wheel_than_the_lock_records_names_both_and_both_compilers(
    tmp_path: Path, shop: Shop
) -> None:
    build = shop.build(make_buildable(tmp_path, steps=""))
    made = shop.workshop.make(build, TARGET)
    assert made.wheel is not None
    recorded = replace(made.wheel, sha256="f" * 64)
    old = replace(build, wheel=recorded, compiler="gcc 99")
    with pytest.raises(UnavailableError) as caught:
        shop.workshop.artifact(old, recorded, TARGET).locate()
    for part in ("f" * 64, made.wheel.sha256, "gcc 99", made.compiler):
        assert part in caught.value.message
    assert "orch wheels --rebuild native" in caught.value.hint
    same = replace(old, compiler=made.compiler)
    with pytest.raises(ArtifactError, match="is not what the lock records"):
        shop.workshop.artifact(same, recorded, TARGET).locate()


def test_a_failed_build_shows_the_end_of_its_log_and_where_it_is(
    tmp_path: Path, shop: Shop
) -> None:
    steps = "for line in range(100): print('line', line)\nraise SystemExit('at the end')\n"
    with pytest.raises(ArtifactError, match=r"the build of native 1\.0 failed") as caught:
        shop.make(make_buildable(tmp_path, steps=steps))
    lines = caught.value.message.splitlines()
    assert len(lines) == 41
    assert ".orch/logs/wheels/native.log" in lines[0]
    log = (shop.folder / "ws/.orch/logs/wheels/native.log").read_text()
    assert "said by the build" in log
    assert "line 0" in log


def test_a_missing_header_makes_the_wheel_unavailable_and_names_its_package(
    tmp_path: Path, shop: Shop, compiler: None
) -> None:
    broken = '#include "libavformat/avformat.h"\n'
    with pytest.raises(UnavailableError, match="ffmpeg headers") as caught:
        shop.make(make_buildable(tmp_path, steps=COMPILES, extension=broken))
    assert 'ffmpeg headers: add system = ["libavformat-dev"' in caught.value.hint
    assert "apt-get install libavformat-dev" in caught.value.hint


def test_a_machine_without_a_compiler_says_what_would_do(
    tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(toolchain, "without_network", tuple)
    monkeypatch.setattr("orchestrator.wheelhouse.host.without_network", tuple)
    with pytest.raises(UnavailableError, match="the program gcc") as caught:
        shop.make(make_buildable(tmp_path))
    assert "apt-get install gcc libc6-dev" in caught.value.hint
    assert "orch wheels pull" in caught.value.hint


def test_debian_packages_that_are_missing_are_named_before_anything_is_built(
    tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.wheelhouse.host.missing_debs", lambda names: names)
    build = replace(shop.build(make_buildable(tmp_path)), system=("libone-dev", "libtwo-dev"))
    with pytest.raises(UnavailableError, match="needs libone-dev, libtwo-dev") as caught:
        shop.workshop.make(build, TARGET)
    assert caught.value.hint.startswith("run: apt-get install libone-dev libtwo-dev; or take")


def test_a_wheel_for_a_newer_c_library_than_the_images_is_refused(
    tmp_path: Path, shop: Shop, compiler: None
) -> None:
    build = shop.build(make_buildable(tmp_path))
    old = Target(HERE, PYTHON, (2, 1) if HERE.architecture == "amd64" else (2, 16))
    with pytest.raises(UnavailableError, match=r"manylinux_2_\d+.*glibc 2\.1") as caught:
        shop.workshop.make(build, old)
    assert "as old as the images'" in caught.value.hint


def test_another_platform_or_an_absent_python_is_said(
    tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = shop.build(make_buildable(tmp_path))
    other = Platform("linux", "amd64" if HERE.architecture == "arm64" else "arm64")
    with pytest.raises(UnavailableError, match=f"is not {other}"):
        shop.workshop.make(replace(build, platform=other), replace(TARGET, platform=other))
    with pytest.raises(UnavailableError, match=r"there is no Python 3\.99"):
        shop.workshop.make(build, replace(TARGET, python="3.99"))


def test_another_project_than_the_sdists_is_refused(tmp_path: Path, shop: Shop) -> None:
    sdist = make_buildable(tmp_path, "other", "1.0", steps="")
    with pytest.raises(ArtifactError, match="another project"):
        shop.make(sdist.rename(tmp_path / "native-1.0.tar.gz"))


def test_a_build_that_is_stopped_ends_with_all_its_children(tmp_path: Path, shop: Shop) -> None:
    fifo = tmp_path / "alive"
    os.mkfifo(fifo)
    steps = f"import subprocess\nsubprocess.run(['sh', '-c', 'echo up > {fifo}; exec sleep 600'])\n"
    build = shop.build(make_buildable(tmp_path, steps=steps))
    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(shop.workshop.make, build, TARGET)
        assert fifo.read_text() == "up\n"
        shop.workshop.stop()
        with pytest.raises(InterruptedByUserError):
            made.result(timeout=60)
    assert not list((cache_folder() / SCRATCH).iterdir())
