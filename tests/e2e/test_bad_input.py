"""What is wrong with packages and downloads is one clear error, and leaves nothing broken."""

from __future__ import annotations

import hashlib
import io
import shlex
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.debs import file, make_elf, special
from tests.e2e.archives import wheel_bytes
from tests.e2e.monorepo import ORCH, Monorepo


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def wheel_of(repo: Monorepo) -> Path:
    return repo.python.files / "beta-1.0-py3-none-any.whl"


def deb_of(repo: Monorepo) -> Path:
    return repo.debian.root / "pool/main/tool_1.0_amd64.deb"


def truncate(data: bytes) -> bytes:
    return data[: len(data) // 2]


def alter(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize("change", [truncate, alter])
@pytest.mark.parametrize(
    ("pick", "name", "image"), [(wheel_of, "beta-1.0", "web"), (deb_of, "tool 1.0", "root")]
)
def test_a_download_that_is_not_what_the_lock_names_is_fetched_twice_and_refused(
    repo: Monorepo,
    undisturbed: dict[str, str],
    change: Callable[[bytes], bytes],
    pick: Callable[[Monorepo], Path],
    name: str,
    image: str,
) -> None:
    path = pick(repo)
    good = path.read_bytes()
    path.write_bytes(change(good))
    images = repo.build(code=1)
    assert images[image]["status"] == "failed"
    message = images[image]["error"]["message"]
    assert name in message
    assert sha256_of(good) in message
    assert sha256_of(path.read_bytes()) in message
    assert repo.server.count(path) == 2
    repo.check_intact()
    path.write_bytes(good)
    assert repo.digests() == undisturbed


def test_a_failure_stops_only_what_stands_on_it(repo: Monorepo) -> None:
    path = wheel_of(repo)
    path.write_bytes(truncate(path.read_bytes()))
    images = repo.build(code=1)
    assert {name: image["status"] for name, image in images.items()} == {
        "root": "built",
        "web": "failed",
        "api": "skipped",
        "job": "built",
    }
    assert "web" in images["api"]["because"]
    assert {image["status"] for image in repo.build("job").values()} == {"reused"}


def test_a_connection_that_breaks_is_taken_up_again(
    repo: Monorepo, undisturbed: dict[str, str]
) -> None:
    repo.server.cut_once(wheel_of(repo))
    assert repo.digests() == undisturbed
    assert repo.server.count(wheel_of(repo)) == 2


def test_a_damaged_download_in_the_cache_is_fetched_again(
    repo: Monorepo, undisturbed: dict[str, str]
) -> None:
    good = wheel_of(repo).read_bytes()
    digest = sha256_of(good)
    kept = repo.cache / "downloads" / digest[:2] / digest
    kept.parent.mkdir(parents=True)
    kept.write_bytes(alter(good))
    assert repo.digests() == undisturbed
    assert kept.read_bytes() == good


def test_a_damaged_segment_in_the_cache_is_made_again(
    repo: Monorepo, undisturbed: dict[str, str]
) -> None:
    repo.build()
    for kept in repo.cache.glob("segments/*/*.gz"):
        kept.write_bytes(truncate(kept.read_bytes()))
    for folder in ("layers", "blobs"):
        for kept in repo.cache.glob(f"{folder}/**/*"):
            if kept.is_file():
                kept.unlink()
    for path in repo.layout.glob("blobs/sha256/*"):
        path.unlink()
    for _ in range(12):
        if all(image["digest"] for image in _try_build(repo).values()):
            break
    repo.check_intact()
    assert repo.digests() == undisturbed


def _try_build(repo: Monorepo) -> dict[str, dict[str, str]]:
    """Build, where the first attempts may find what is damaged and throw it away."""
    plan = repo.orch("plan")
    assert plan.code == 0
    try:
        return repo.build()
    except AssertionError as error:
        assert "damaged" in str(error)  # noqa: PT017 - any other failure is one
        return {"root": {"digest": ""}}


class TestGonePackage:
    def vanish(self, repo: Monorepo) -> None:
        repo.debian.remove("tool")
        program = make_elf(needed=["libdemo.so.1"])
        repo.debian.add(
            "tool", [file("./usr/bin/tool", program, 0o755)], version="1.1", depends="libdemo1"
        )
        arm64 = make_elf(needed=["libdemo.so.1"], machine=183)
        repo.debian.add(
            "tool",
            [file("./usr/bin/tool", arm64, 0o755)],
            version="1.1",
            architecture="arm64",
            depends="libdemo1",
        )
        repo.debian.publish()

    def test_the_error_names_the_ways_out(self, repo: Monorepo) -> None:
        self.vanish(repo)
        before = repo.path("orch.lock").read_text()
        error = repo.build(code=1)["root"]["error"]
        assert "tool 1.0 cannot be fetched" in error["message"]
        assert "orch lock --upgrade tool" in error["hint"]
        assert "--relock-missing" in error["hint"]
        assert repo.path("orch.lock").read_text() == before
        repo.orch("lock", "--upgrade", "tool")
        assert repo.build()["root"]["status"] == "built"

    def test_relock_missing_pins_only_that_package_anew(self, repo: Monorepo) -> None:
        before = repo.path("orch.lock").read_text()
        repo.debian.add("libdemo1", [file("./usr/lib/libdemo.so.1", b"no")], version="1.1")
        self.vanish(repo)
        done = repo.orch("build", "--relock-missing")
        assert "tool 1.0 -> 1.1" in done.stderr
        assert "libdemo1" not in done.stderr
        after = repo.path("orch.lock").read_text()
        assert "tool_1.1_amd64.deb" in after
        assert "libdemo1_1.0_amd64.deb" in after
        assert "tool_1.0_amd64.deb" in before
        assert "tool_1.0_amd64.deb" not in after
        assert {image["status"] for image in repo.build().values()} == {"reused"}


class TestUnusableWheel:
    @pytest.mark.parametrize("path", ["../evil.py", "/etc/evil", "beta/../../evil.py"])
    def test_a_path_that_leaves_the_target_is_refused(self, repo: Monorepo, path: str) -> None:
        repo.python.add_wheel("beta", "1.1", files={"beta/__init__.py": "", path: "evil"})
        error = self.locked_and_failed(repo)
        assert f"beta-1.1-py3-none-any.whl: {path!r} would leave" in error["message"]

    def test_a_zip_bomb_is_refused(self, repo: Monorepo) -> None:
        repo.python.add_wheel("beta", "1.1", files={"beta/zeros.bin": bytes(80 << 20)})
        error = self.locked_and_failed(repo)
        assert "beta/zeros.bin inflates" in error["message"]

    def test_contents_that_record_does_not_name_are_refused(self, repo: Monorepo) -> None:
        good = wheel_bytes("beta", "1.1", files={"beta/data.bin": b"a" * 64})
        evil = wheel_bytes("beta", "1.1", files={"beta/data.bin": b"b" * 64})
        path = repo.python.add_wheel("beta", "1.1")
        path.write_bytes(_with_record_of(evil, good))
        repo.python.relist("beta")
        error = self.locked_and_failed(repo)
        assert "beta/data.bin is sha256=" in error["message"]
        assert "RECORD says sha256=" in error["message"]

    def locked_and_failed(self, repo: Monorepo) -> dict[str, str]:
        """Lock the wheel, see the build fail and go on well without it; return the error."""
        repo.orch("lock", "--upgrade", "beta")
        images = repo.build(code=1)
        assert images["job"]["status"] == "built"
        repo.check_intact()
        repo.write("base/web/requirements.txt", "beta==1.0\n")
        repo.orch("lock")
        assert {image["digest"] != "" for image in repo.build().values()} == {True}
        error: dict[str, str] = images["web"]["error"]
        return error


class TestUnusableDeb:
    def failed(self, repo: Monorepo, name: str) -> dict[str, str]:
        """Add a package to `job`, see the build fail and go on well without it."""
        recipe = repo.path("services/job/image.toml")
        before = recipe.read_text()
        repo.debian.publish()
        recipe.write_text(before + f'[system]\npackages = ["{name}"]\n')
        repo.orch("lock")
        images = repo.build(code=1)
        assert images["job"]["status"] == "failed"
        assert images["api"]["status"] == "built"
        repo.check_intact()
        recipe.write_text(before)
        repo.orch("lock")
        assert repo.build()["job"]["status"] == "built"
        error: dict[str, str] = images["job"]["error"]
        return error

    def add(self, repo: Monorepo, member: tuple[tarfile.TarInfo, bytes]) -> None:
        for architecture in ("amd64", "arm64"):
            repo.debian.add("evil", [member], architecture=architecture)

    def test_a_path_that_leaves_the_root_is_refused(self, repo: Monorepo) -> None:
        self.add(repo, file("./usr/../../evil", b"x"))
        message = self.failed(repo, "evil")["message"]
        assert "evil" in message
        assert "leaves the root" in message

    @pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
    def test_a_special_file_is_refused(self, repo: Monorepo, kind: bytes) -> None:
        self.add(repo, special("./dev/evil", kind))
        message = self.failed(repo, "evil")["message"]
        assert "evil" in message
        assert "device node, a fifo or another special file" in message

    def test_a_bomb_is_refused(self, repo: Monorepo) -> None:
        self.add(repo, file("./usr/share/zeros", bytes(80 << 20)))
        assert "unpacks to more than" in self.failed(repo, "evil")["message"]

    def test_a_script_without_a_rule_is_refused(self, repo: Monorepo) -> None:
        scripts = {"postinst": "#!/bin/sh\nset -e\nuseradd demo\n"}
        for architecture in ("amd64", "arm64"):
            repo.debian.add("scripted", architecture=architecture, scripts=scripts)
        error = self.failed(repo, "scripted")
        assert "scripted" in error["message"]
        assert "useradd demo" in error["message"]
        assert error["hint"]

    def test_a_library_that_is_nowhere_is_named(self, repo: Monorepo) -> None:
        for architecture, machine in (("amd64", 62), ("arm64", 183)):
            program = make_elf(needed=["libnowhere.so.7"], machine=machine)
            member = file("./usr/bin/needy", program, 0o755)
            repo.debian.add("needy", [member], architecture=architecture)
        error = self.failed(repo, "needy")
        assert "services/job/image.toml: " in error["message"]
        assert "/usr/bin/needy needs libnowhere.so.7" in error["message"]
        assert "optional-libraries" in error["hint"]


class TestClash:
    def test_two_wheels_that_differ_on_a_path_are_refused(self, repo: Monorepo) -> None:
        shared = {"gamma/__init__.py": "", "beta/__init__.py": "VERSION = 'other'\n"}
        repo.python.add_wheel("gamma", "1.1", files=shared)
        repo.orch("lock", "--upgrade", "gamma")
        images = repo.build(code=1)
        error = images["api"]["error"]
        assert "services/api/image.toml" in error["message"]
        for part in ("gamma 1.1", "beta 1.0", "beta/__init__.py"):
            assert part in error["message"]
        assert '[python] prefer = { "beta/__init__.py" = "gamma" }' in error["hint"]
        assert images["web"]["status"] == "built"
        recipe = repo.path("services/api/image.toml")
        prefer = '[python]\nprefer = { "beta/__init__.py" = "gamma" }\n'
        recipe.write_text(recipe.read_text() + prefer)
        assert repo.build()["api"]["status"] == "built"


class TestSourceOnly:
    @pytest.fixture
    def repo(self, repo: Monorepo) -> Monorepo:
        repo.python.add_sdist("delta")
        repo.write("services/api/requirements.txt", "gamma\ndelta\n")
        repo.orch("lock")
        return repo

    def test_an_image_without_a_wheel_is_unavailable_and_the_rest_is_built(
        self, repo: Monorepo
    ) -> None:
        images = repo.build()
        assert images["api"]["status"] == "unavailable"
        assert "delta 1.0 comes as source only" in images["api"]["because"]
        assert "does not say what building it needs" in images["api"]["because"]
        assert {images[name]["status"] for name in ("root", "web", "job")} == {"built"}

    def test_it_is_an_error_where_the_image_is_named(self, repo: Monorepo) -> None:
        assert repo.build("api", code=3)["api"]["status"] == "unavailable"
        assert repo.build("--strict", code=3)["job"]["status"] == "built"
        assert repo.build("job")["job"]["status"] in {"built", "reused"}

    def test_a_wheel_that_was_built_meanwhile_is_taken(self, repo: Monorepo) -> None:
        repo.build()
        repo.python.add_wheel("delta")
        repo.orch("lock")
        assert repo.build("api")["api"]["status"] == "built"


def newer(database: Path) -> None:
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("PRAGMA user_version = 1000")


def cut(database: Path) -> None:
    database.write_bytes(truncate(database.read_bytes()))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [(newer, "a newer orch wrote the records"), (cut, "the records cannot be read")],
)
def test_records_that_cannot_be_used_are_begun_anew_aloud_and_nothing_else_is_lost(
    repo: Monorepo, undisturbed: dict[str, str], spoil: Callable[[Path], None], why: str
) -> None:
    repo.write("services/own/Dockerfile", "FROM job\nCOPY x /x\n")
    repo.write("services/own/x", "x")
    repo.build()
    fetched = repo.server.count(wheel_of(repo))
    spoil(repo.path(".orch/state.db"))
    spoilt = repo.path(".orch/state.db").read_bytes()
    said = repo.orch("plan").stderr
    assert f"state.db: {why}" in said
    assert "what it knew is built again" in said
    images = repo.build()
    assert {images[name]["status"] for name in undisturbed} == {"built"}
    assert {name: images[name]["digest"] for name in undisturbed} == undisturbed
    assert repo.server.count(wheel_of(repo)) == fetched
    assert repo.path(".orch/state.unusable").read_bytes() == spoilt
    assert "records" not in repo.orch("plan").stderr


class TestReadOnlyDisk:
    """Run where the workspace is mounted read-only, which no other process sees."""

    def run(self, repo: Monorepo, *commands: str) -> list[tuple[str, str, str]]:
        """Run `orch` with each of these; return the exit codes and what was printed and said."""
        work = shlex.quote(str(repo.root))
        mount = f"mount --bind {work} {work} && mount -o remount,ro,bind {work} || exit 99"
        lines = [f"{ORCH} -C {work} {command}; echo code=$?" for command in commands]
        found = []
        for line in lines:
            done = repo.run_with_mounts(f"{mount}\n{line}\n")
            assert "Traceback" not in done.stderr
            printed, _, code = done.stdout.rpartition("code=")
            found.append((code.strip(), printed, done.stderr))
        return found

    def test_a_plan_works_and_a_build_says_why_it_does_not(self, repo: Monorepo) -> None:
        repo.write("services/own/Dockerfile", "FROM scratch\nCOPY x /x\n")
        repo.write("services/own/x", "x")
        plan, explain, build = self.run(repo, "plan", "explain own", "build")
        assert plan[0] == explain[0] == "0"
        for name in ("root", "web", "api", "job", "own"):
            assert name in plan[1]
        assert build[0] == "1"
        assert "read-only" in build[2].lower()
        assert str(repo.path(".orch")) in build[2]
        assert "hint: " in build[2]
        assert not repo.path(".orch").exists()

    def test_what_is_up_to_date_stays_so(self, repo: Monorepo) -> None:
        repo.build()
        plan, build = self.run(repo, "plan", "build")
        assert (plan[0], build[0]) == ("0", "0")
        assert "4 reused" in build[2]
        repo.write("services/job/run.sh", "#!/bin/sh\necho other\n")
        plan, build = self.run(repo, "plan", "build")
        assert plan[0] == "0"
        assert "file-changed run.sh" in plan[1]
        assert build[0] == "1"
        assert "read-only" in build[2].lower()
        repo.check_intact()
        assert repo.build()["job"]["status"] == "built"


def _with_record_of(wheel: bytes, other: bytes) -> bytes:
    """Return a wheel whose RECORD is another's."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(wheel)) as source,
        zipfile.ZipFile(io.BytesIO(other)) as record,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for info in source.infolist():
            is_record = info.filename.endswith("/RECORD")
            target.writestr(info, (record if is_record else source).read(info.filename))
    return out.getvalue()
