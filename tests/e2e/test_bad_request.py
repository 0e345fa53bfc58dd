"""A wrong workspace or request is one error with file, line and hint, and exit code 2."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.monorepo import ORCH, Monorepo


def line_of(repo: Monorepo, name: str, text: str) -> int:
    return repo.path(name).read_text().splitlines().index(text) + 1


def test_a_folder_without_settings(repo: Monorepo, tmp_path: Path) -> None:
    done = repo.orch("-C", tmp_path, "build", code=2)
    assert f"error: no orch.toml in {tmp_path}" in done.stderr
    assert "hint: " in done.stderr


@pytest.mark.parametrize(("given", "meant"), [("wbe", "web"), ("apii", "api")])
def test_an_unknown_image_names_the_nearest(repo: Monorepo, given: str, meant: str) -> None:
    done = repo.orch("build", given, code=2)
    assert f"error: no image is named {given!r}" in done.stderr
    assert f"hint: did you mean {meant!r}?" in done.stderr


def test_an_unknown_key_names_file_line_and_the_nearest(repo: Monorepo) -> None:
    recipe = repo.path("base/web/image.toml")
    recipe.write_text(recipe.read_text() + "\n[system]\npackges = []\n")
    number = line_of(repo, "base/web/image.toml", "packges = []")
    done = repo.orch("plan", code=2)
    assert f"base/web/image.toml:{number}: [system] unknown key 'packges'" in done.stderr
    assert "hint: did you mean 'packages'?" in done.stderr


def test_broken_toml_names_file_and_line(repo: Monorepo) -> None:
    repo.write("base/web/image.toml", 'from = "root"\nsummary = "no end\n')
    assert "base/web/image.toml:2: is not valid TOML" in repo.orch("build", code=2).stderr


def test_a_cycle_shows_its_way(repo: Monorepo) -> None:
    recipe = repo.path("base/root/image.toml")
    recipe.write_text(recipe.read_text().replace("debian:bookworm", "web"))
    done = repo.orch("build", code=2)
    assert "cycle" in done.stderr
    assert "root" in done.stderr
    assert "web" in done.stderr
    assert "image.toml:1" in done.stderr


def test_a_missing_lock_says_how_to_make_it(repo: Monorepo) -> None:
    repo.path("orch.lock").unlink()
    done = repo.orch("build", code=2)
    assert "error: there is no orch.lock" in done.stderr
    assert "hint: run: orch lock" in done.stderr


@pytest.mark.parametrize(
    ("file", "text", "image"),
    [
        ("base/web/requirements.txt", "beta\ngamma\n", "web"),
        ("base/web/requirements.txt", "", "web"),
        ("constraints.txt", "gamma<1\n", "api"),
    ],
    ids=["added", "removed", "constrained"],
)
def test_a_lock_behind_its_inputs_names_the_image(
    repo: Monorepo, file: str, text: str, image: str
) -> None:
    repo.write(file, text)
    for verb, code in ((("build",), 2), (("plan",), 2), (("lock", "--check"), 1)):
        done = repo.orch(*verb, code=code)
        assert "orch.lock is behind what is asked for by: " in done.stderr
        assert image in done.stderr
        assert "hint: run: orch lock" in done.stderr


def test_a_comment_leaves_the_lock_as_good(repo: Monorepo) -> None:
    repo.write("base/web/requirements.txt", "beta  # what answers\n\n# no more\n")
    repo.orch("lock", "--check")


@pytest.mark.parametrize("text", ["", "version = ", "[[image]]\nname = 3\n", "\x00"])
def test_a_broken_lock_is_one_error(repo: Monorepo, text: str) -> None:
    repo.write("orch.lock", text)
    assert "orch.lock" in repo.orch("build", code=2).stderr


def test_a_requirement_that_contradicts_an_ancestor_names_both_sides(repo: Monorepo) -> None:
    repo.write("constraints.txt", "")
    repo.write("base/root/requirements.txt", "# first\nalpha==1.0\n")
    repo.write("services/api/requirements.txt", "gamma\nalpha==2.0\n")
    before = repo.path("orch.lock").read_text()
    done = repo.orch("lock", code=1)
    assert "api wants alpha==2.0 (services/api/requirements.txt:2)" in done.stderr
    held = "it stands on web -> root, which holds alpha 1.0 (base/root/requirements.txt:2)"
    assert held in done.stderr
    assert repo.path("orch.lock").read_text() == before


def test_a_requirement_that_contradicts_a_constraint_names_both_sides(repo: Monorepo) -> None:
    repo.write("constraints.txt", "# pins\nalpha==1.0\n")
    repo.write("base/web/requirements.txt", "beta\nalpha>=2\n")
    done = repo.orch("lock", code=1)
    assert "base/web/requirements.txt:2" in done.stderr
    assert "alpha" in done.stderr


def test_an_unknown_debian_package_names_the_image(repo: Monorepo) -> None:
    recipe = repo.path("services/job/image.toml")
    recipe.write_text(recipe.read_text() + '[system]\npackages = ["toool"]\n')
    done = repo.orch("lock", code=1)
    assert "services/job/image.toml: " in done.stderr
    assert "toool" in done.stderr


def test_a_file_that_is_copied_must_exist(repo: Monorepo) -> None:
    repo.path("services/job/run.sh").unlink()
    done = repo.orch("build", code=2)
    assert "services/job/image.toml" in done.stderr
    assert "run.sh" in done.stderr


def test_a_link_that_leaves_what_is_copied_is_refused(repo: Monorepo) -> None:
    repo.path("services/api/app/link").symlink_to("/etc/passwd")
    done = repo.orch("build", code=2)
    assert "leads out of app" in done.stderr


def test_a_bad_option_is_a_bad_request(repo: Monorepo) -> None:
    repo.orch("build", "--no-such-option", code=2)
    repo.orch("no-such-verb", code=2)
    repo.orch("build", "--platform", "linux/riscv64", code=2)


def test_a_state_that_is_no_database_is_said_aloud_and_begun_anew(repo: Monorepo) -> None:
    repo.build()
    before = repo.digests()
    repo.path(".orch/state.db").write_bytes(b"this is no database at all" * 100)
    done = repo.orch("build")
    assert "state.db: the records cannot be read" in done.stderr
    assert repo.digests() == before


def test_an_index_out_of_reach_is_one_error(repo: Monorepo) -> None:
    settings = repo.path("orch.toml")
    settings.write_text(
        settings.read_text().replace(repo.server.url(repo.home), "http://127.0.0.1:9")
    )
    repo.path("orch.lock").unlink()
    done = repo.orch("lock", code=1)
    assert "127.0.0.1:9" in done.stderr
    assert "hint: " in done.stderr


def test_a_lock_that_is_a_pipe_is_not_waited_for(repo: Monorepo) -> None:
    repo.path("orch.lock").unlink()
    os.mkfifo(repo.path("orch.lock"))
    for verb in (["plan"], ["lock"], ["lock", "--check"]):
        assert "orch.lock: cannot be read" in repo.orch(*verb, code=2).stderr


def test_constraints_that_lead_nowhere_are_an_error(repo: Monorepo) -> None:
    repo.path("constraints.txt").unlink()
    repo.path("constraints.txt").symlink_to("moved.txt")
    assert "constraints.txt: cannot be read" in repo.orch("lock", code=2).stderr
    assert "constraints.txt" in repo.orch("check", code=1).stdout


def test_requirements_with_a_byte_order_mark_say_the_same(repo: Monorepo) -> None:
    file = repo.path("base/root/requirements.txt")
    file.write_text(f"\ufeff{file.read_text()}")
    repo.orch("lock", "--check")


def test_a_conflict_in_requirements_is_named_with_its_line(repo: Monorepo) -> None:
    repo.write("base/root/requirements.txt", "alpha\n<<<<<<< HEAD\nbeta\n=======\n>>>>>>> b\n")
    message = "base/root/requirements.txt:2: a merge conflict is not settled"
    assert message in repo.orch("plan", code=2).stderr


def test_the_way_out_of_a_conflict_in_the_lock_leads_out(repo: Monorepo) -> None:
    lock = repo.path("orch.lock")
    good = lock.read_text()
    lock.write_text(f"<<<<<<< HEAD\n{good}=======\n{good}>>>>>>> other\n")
    done = repo.orch("lock", code=2)
    assert "orch.lock:1: a merge conflict is not settled" in done.stderr
    assert "take one side whole" in done.stderr
    lock.write_text(good)
    repo.orch("lock")
    assert lock.read_text() == good


def test_the_way_out_of_a_broken_lock_leads_out(repo: Monorepo) -> None:
    lock = repo.path("orch.lock")
    good = lock.read_text()
    lock.write_text("version = ")
    assert "delete it" in repo.orch("lock", code=2).stderr
    lock.unlink()
    repo.orch("lock")
    assert lock.read_text() == good


@pytest.mark.parametrize("named", ["", "."])
def test_a_report_that_cannot_be_a_file_is_refused_before_anything_is_done(
    repo: Monorepo, named: str
) -> None:
    repo.orch("build", "--report", named, code=2)
    assert not repo.layout.exists()


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("graph 2>&-", 0),
        ("graph >&- 2>&- <&-", 0),
        ("build root 2>&-", 0),
        ("graph >/dev/full", 1),
        ("build nobody 2>/dev/full", 1),
    ],
)
def test_streams_that_are_closed_or_full_end_with_a_code_of_the_contract(
    repo: Monorepo, typed: str, code: int
) -> None:
    command = f'"{ORCH}" {typed}'
    done = subprocess.run(
        ["bash", "-c", command],
        check=False,
        cwd=repo.root,
        env=repo.environment(),
        stderr=subprocess.PIPE,
    )
    assert done.returncode == code
    assert b"Exception ignored" not in done.stderr


def test_no_revision_is_no_revision_to_compare_with(repo: Monorepo) -> None:
    assert "no revision is named" in repo.orch("plan", "--since", "", code=2).stderr


def test_a_cache_below_home_is_found_by_its_tilde(repo: Monorepo) -> None:
    repo.orch("build", "root", ORCH_CACHE="~/mine")
    assert (repo.home / "mine/blobs").is_dir()
    assert not repo.path("~").exists()
