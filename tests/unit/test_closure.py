"""Every ELF file of an image finds its libraries, and the check is known by what it reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.engines.assembler.closure import check_closure, closure_key
from orchestrator.errors import AssemblyError
from orchestrator.model import Recipe
from tests.chains import Chain
from tests.debs import make_elf

COMPILED = "cp311-cp311-manylinux_2_17_x86_64"
ARM = 183


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return Chain(tmp_path)


def needs(library: str) -> dict[str, bytes]:
    return {"pkg/x.so": make_elf(needed=[library])}


def lib(name: str) -> dict[str, bytes]:
    return {f"usr/lib/{name}": make_elf(soname=name)}


def test_a_missing_library_is_named_with_the_file_that_needs_it(chain: Chain) -> None:
    chain.deb("libc6")
    chain.wheel("one", needs("libgone.so.1"), COMPILED)
    with pytest.raises(AssemblyError) as caught:
        check_closure(chain.image("web"), chain.store)
    assert "libgone.so.1" in caught.value.message
    assert "opt/venv/lib/python3.11/site-packages/pkg/x.so" in caught.value.message
    assert caught.value.file == "base/web/image.toml"
    assert "optional-libraries" in caught.value.hint


def test_the_packages_that_are_known_to_have_missing_libraries_are_named(chain: Chain) -> None:
    chain.wheel("one", needs("libstdc++.so.6"), COMPILED)
    with pytest.raises(AssemblyError) as caught:
        check_closure(chain.image("web"), chain.store)
    assert "[system] packages: libstdc++6;" in caught.value.hint


def test_a_library_that_may_be_missing_is_not_missed(chain: Chain) -> None:
    chain.wheel("one", needs("libgone.so.1"), COMPILED)
    recipe = Recipe("", optional_libraries=("libgone.so.1",))
    check_closure(chain.image("web", recipe), chain.store)


def test_a_library_of_an_ancestor_is_found(chain: Chain) -> None:
    chain.deb("libgone1", lib("libgone.so.1"))
    chain.image("base")
    chain.wheel("one", needs("libgone.so.1"), COMPILED)
    check_closure(chain.image("web"), chain.store)


def test_a_library_of_another_wheel_is_found(chain: Chain) -> None:
    chain.wheel("one", {"one.libs/libx.so": make_elf(soname="libx.so")}, COMPILED)
    chain.image("base")
    chain.wheel("two", needs("libx.so"), COMPILED)
    check_closure(chain.image("web"), chain.store)


def test_what_an_ancestor_lacks_is_the_ancestors_to_report(chain: Chain) -> None:
    chain.wheel("one", needs("libgone.so.1"), COMPILED)
    chain.image("base")
    chain.wheel("two", {"two/x.so": make_elf()}, COMPILED)
    check_closure(chain.image("web"), chain.store)


def test_a_file_for_another_machine_is_refused(chain: Chain) -> None:
    files = {"pkg/x.so": make_elf(needed=["libc.so.6"], machine=ARM)}
    chain.wheel("one", files, COMPILED)
    with pytest.raises(AssemblyError, match=r"pkg/x\.so is not for linux/amd64"):
        check_closure(chain.image("web"), chain.store)


def test_debs_are_checked_like_wheels(chain: Chain) -> None:
    chain.deb("app", {"usr/bin/app": make_elf(needed=["libgone.so.1"])})
    with pytest.raises(AssemblyError, match=r"usr/bin/app.*libgone|libgone.*usr/bin/app"):
        check_closure(chain.image("web"), chain.store)


def key_with(tmp_path: Path, below: Callable[[Chain], None], *, optional: str = "") -> str:
    chain = Chain(tmp_path)
    chain.deb("libc6")
    below(chain)
    chain.image("base")
    chain.wheel("own", needs("libc.so.6"), COMPILED)
    chain.wheel("pure", {"pure.py": b""})
    return closure_key(chain.image("web", Recipe("", optional_libraries=(optional,))))


def test_pure_wheels_of_an_ancestor_are_no_part_of_the_key(tmp_path: Path) -> None:
    plain = key_with(tmp_path, lambda chain: None)
    assert key_with(tmp_path, lambda chain: chain.wheel("more", {"more.py": b""})) == plain


@pytest.mark.parametrize(
    "below",
    [lambda chain: chain.deb("more"), lambda chain: chain.wheel("more", {}, COMPILED)],
    ids=["deb", "compiled wheel"],
)
def test_what_may_bring_libraries_is_part_of_the_key(
    tmp_path: Path, below: Callable[[Chain], None]
) -> None:
    assert key_with(tmp_path, below) != key_with(tmp_path, lambda chain: None)


def test_libraries_that_may_be_missing_are_part_of_the_key(tmp_path: Path) -> None:
    plain = key_with(tmp_path, lambda chain: None)
    assert key_with(tmp_path, lambda chain: None, optional="libx.so") != plain
