"""Strict TOML tables: types, units, unknown keys, and the line an error points at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import WorkspaceError
from orchestrator.positions import line_of
from orchestrator.tables import Table

TableOf = Callable[[str], Table]


@pytest.fixture
def table_of(tmp_path: Path) -> TableOf:
    def make(text: str) -> Table:
        file = tmp_path / "x.toml"
        file.write_text(text, "utf-8")
        return Table.read(file)

    return make


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ('"30s"', 30.0),
        ('"1.5m"', 90.0),
        ('"250ms"', 0.25),
        ('"2 h"', 7200.0),
        ("30", 30.0),
        ("0.5", 0.5),
    ],
)
def test_a_duration_is_read_in_seconds(table_of: TableOf, written: str, seconds: float) -> None:
    assert table_of(f"t = {written}").take_seconds("t", 1.0) == pytest.approx(seconds)


@pytest.mark.parametrize("written", ['"30"', '"s"', '"-1s"', '"3 days"', "nan", "inf", "-1", "[]"])
def test_what_is_no_duration_is_refused(table_of: TableOf, written: str) -> None:
    with pytest.raises(WorkspaceError, match='t must be a duration such as "30s"'):
        table_of(f"t = {written}").take_seconds("t", 1.0)


@pytest.mark.parametrize(
    ("written", "size_bytes"),
    [
        ('"200 MB"', 200_000_000),
        ('"1.5GB"', 1_500_000_000),
        ('"1 KiB"', 1024),
        ('"2MiB"', 2 << 20),
        ('"1 GiB"', 1 << 30),
        ('"3 kB"', 3000),
        ('"7 B"', 7),
        ("42", 42),
    ],
)
def test_a_size_is_read_in_bytes(table_of: TableOf, written: str, size_bytes: int) -> None:
    assert table_of(f"s = {written}").take_size("s") == size_bytes


@pytest.mark.parametrize("written", ['"200"', '"MB"', '"-1 MB"', '"1 mb"', "-1", "1.5", "true"])
def test_what_is_no_size_is_refused(table_of: TableOf, written: str) -> None:
    with pytest.raises(WorkspaceError, match='s must be a size such as "200 MB"'):
        table_of(f"s = {written}").take_size("s")


@pytest.mark.parametrize(("written", "percent"), [('"10%"', 10.0), ("10", 10.0), ('"2.5"', 2.5)])
def test_a_share_is_read_in_percent(table_of: TableOf, written: str, percent: float) -> None:
    assert table_of(f"g = {written}").take_percent("g") == percent


@pytest.mark.parametrize("written", ['"much"', '"nan"', "inf", "-3", '"%"'])
def test_what_is_no_share_is_refused(table_of: TableOf, written: str) -> None:
    with pytest.raises(WorkspaceError, match='g must be a share such as "10%"'):
        table_of(f"g = {written}").take_percent("g")


@pytest.mark.parametrize(
    ("written", "mode"), [('"0755"', 0o755), ('"644"', 0o644), ('"0o4755"', 0o4755)]
)
def test_permission_bits_are_octal(table_of: TableOf, written: str, mode: int) -> None:
    assert table_of(f"m = {written}").take_mode("m") == mode


@pytest.mark.parametrize("written", ["755", "0o755", '"0888"', '"rwxr-xr-x"', '"7"'])
def test_permission_bits_are_refused_where_their_base_is_a_guess(
    table_of: TableOf, written: str
) -> None:
    with pytest.raises(WorkspaceError, match='m must be permission bits such as "0755"'):
        table_of(f"m = {written}").take_mode("m")


def test_environment_numbers_are_taken_as_they_are_written(table_of: TableOf) -> None:
    assert table_of("[env]\nPORT = 8000\nNAME = 'x'").take_env("env") == {
        "PORT": "8000",
        "NAME": "x",
    }


@pytest.mark.parametrize("value", ["1.10", "true", "[1]", "{a = 1}", "2020-01-01"])
def test_environment_values_that_would_change_as_text_are_refused(
    table_of: TableOf, value: str
) -> None:
    with pytest.raises(WorkspaceError, match=r"env\.A must be a string"):
        table_of(f"[env]\nA = {value}\n").take_env("env")


def test_a_boolean_is_no_number(table_of: TableOf) -> None:
    with pytest.raises(WorkspaceError, match="n must be a whole number, not True"):
        table_of("n = true").take_int("n", 1)


def test_an_unknown_key_names_the_nearest_with_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text("# first\npackages = []\nrequirments = []\n")
    table = Table.read(file)
    table.take_strs("packages")
    table.take_strs("requirements")
    with pytest.raises(WorkspaceError) as raised:
        table.close()
    assert str(raised.value) == f"{file}:3: unknown key 'requirments'"
    assert raised.value.hint == "did you mean 'requirements'?"


def test_an_unknown_key_like_no_other_lists_the_known_ones(table_of: TableOf) -> None:
    table = table_of("zzz = 1")
    table.take_str("from")
    table.take_str("summary")
    with pytest.raises(WorkspaceError) as raised:
        table.close()
    assert raised.value.hint == "known: from, summary"


def test_an_unknown_key_in_a_table_names_the_table(table_of: TableOf) -> None:
    inner = table_of("[system]\npackage = []\n").take_table("system")
    inner.take_strs("packages")
    with pytest.raises(WorkspaceError, match=r"\[system\] unknown key 'package'") as raised:
        inner.close()
    assert raised.value.line == 2


def test_bad_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text("a = 1\nb = = 2\n")
    with pytest.raises(WorkspaceError, match="is not valid TOML") as raised:
        Table.read(file)
    assert (raised.value.file, raised.value.line) == (str(file), 2)


@pytest.mark.parametrize("text", ["a = " + "9" * 5000, "a = " + "[" * 5000])
def test_toml_beyond_the_reader_s_limits_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x.toml"
    file.write_text(text)
    with pytest.raises(WorkspaceError, match="is not valid TOML"):
        Table.read(file)


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(b"a = '\xff'")
    with pytest.raises(WorkspaceError, match="is not UTF-8 text"):
        Table.read(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="cannot be read: No such file"):
        Table.read(tmp_path / "x.toml")


TEXT = """\
from = "a"
# to = "comment"
[config]
env.LANG = "C"
"quoted" = 1

[config.labels]
to = "label"

[[files]]
from = "x"
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("from",), 1),
        (("config",), 3),
        (("config", "env"), 4),
        (("config", "env", "LANG"), 4),
        (("config", "quoted"), 5),
        (("config", "labels"), 7),
        (("files", "from"), 11),
        (("to",), None),
        (("nothing",), None),
    ],
)
def test_the_line_of_a_key_is_found(path: tuple[str, ...], line: int | None) -> None:
    assert line_of(TEXT, path) == line


def test_a_byte_order_mark_is_no_part_of_toml(table_of: TableOf) -> None:
    assert table_of('\ufefffrom = "x"\n').take_str("from") == "x"


def test_a_conflict_that_is_not_settled_is_named_with_its_line(table_of: TableOf) -> None:
    with pytest.raises(WorkspaceError, match=r"x\.toml:2: a merge conflict is not settled"):
        table_of("a = 1\n<<<<<<< HEAD\nb = 1\n=======\nb = 2\n>>>>>>> other\n")


@pytest.mark.parametrize("written", [r'"a\u0000b"', r'["\U00000000"]', r'{"\u0000" = "x"}'])
def test_the_character_nul_is_refused_with_its_line(table_of: TableOf, written: str) -> None:
    with pytest.raises(WorkspaceError, match=r"x\.toml:2: holds the character NUL"):
        table_of(f"a = 1\nb = {written}\n")


def test_a_backslash_before_an_escape_of_nul_is_no_nul(table_of: TableOf) -> None:
    assert table_of(r'a = "\\u0000"').take_str("a") == r"\u0000"
