"""Reading Dockerfiles: what stages stand on, copy from, and take from the context."""

from __future__ import annotations

import random

import pytest

from orchestrator.dockerfile import find_uses, parse_dockerfile
from orchestrator.errors import WorkspaceError
from orchestrator.model import Uses
from tests.helpers import AMD64, ARM64

DIGEST = "sha256:" + "a" * 64


def uses_of(text: str, target: str = "", **args: str) -> Uses:
    return find_uses(parse_dockerfile(text, "Dockerfile"), target, args, AMD64)


def references(text: str, target: str = "", **args: str) -> list[str]:
    return [reference.name for reference in uses_of(text, target, **args).references]


def sources(text: str, target: str = "", **args: str) -> list[str]:
    return [source.path for source in uses_of(text, target, **args).sources]


def test_every_from_that_the_target_needs_is_found() -> None:
    text = "FROM one AS a\nFROM two AS b\nFROM a\nCOPY --from=b /x /x\n"
    assert references(text) == ["one", "two"]


def test_a_stage_that_the_target_does_not_need_is_no_input() -> None:
    text = "FROM one AS a\nCOPY x .\nFROM two AS b\nCOPY y .\n"
    assert (references(text), sources(text)) == (["two"], ["y"])
    assert (references(text, "a"), sources(text, "a")) == (["one"], ["x"])


def test_copy_from_names_an_image_a_stage_or_a_number() -> None:
    text = "FROM one AS a\nFROM two\nFROM three\nCOPY --from=0 /x /\nCOPY --from=img:1 /x /\n"
    assert references(text) == ["three", "one", "img:1"]


def test_run_mount_from_names_an_image_or_a_stage() -> None:
    text = (
        "FROM one AS a\nFROM two\n"
        "RUN --mount=type=bind,from=a,target=/a --mount=from=img,source=/x,target=/b x\n"
        "RUN --mount=type=cache,target=/c,from=cached --mount=type=secret,id=s x\n"
    )
    assert references(text) == ["two", "one", "img", "cached"]


def test_a_stage_shadows_an_image_s_name() -> None:
    text = "FROM debian:12 AS python-base\nFROM python-base\n"
    assert references(text) == ["debian:12"]


def test_a_stage_named_as_its_own_base_stands_on_the_image() -> None:
    assert references("FROM python-base AS python-base\nFROM python-base\n") == ["python-base"]


def test_stage_names_do_not_heed_case() -> None:
    assert references("FROM one AS Build\nFROM BUILD\n") == ["one"]


def test_an_arg_before_from_is_put_in_and_build_args_go_before_its_default() -> None:
    text = "ARG TAG=1\nFROM base:${TAG}\n"
    assert references(text) == ["base:1"]
    assert references(text, TAG="2") == ["base:2"]


def test_an_arg_default_uses_other_args() -> None:
    text = "ARG A=x B=y\nARG C=${A}-$B\nFROM img:$C\n"
    assert references(text) == ["img:x-y"]


@pytest.mark.parametrize(
    ("word", "without", "given"),
    [
        ("${X:-y}", "y", "v"),
        ("${X-y}", "y", "v"),
        ("i${X:+y}", "i", "iy"),
        ("i${X+y}", "i", "iy"),
        ("${X:-${Y:-z}}", "z", "v"),
        ('"${X:-y}"', "y", "v"),
        ("'y'", "y", "y"),
    ],
)
def test_defaults_and_alternatives_of_variables(word: str, without: str, given: str) -> None:
    assert references(f"ARG X\nFROM {word}\n") == [without]
    assert references(f"ARG X\nFROM {word}\n", X="v") == [given]


def test_a_colon_makes_an_empty_value_count_as_none() -> None:
    assert references("ARG X=\nFROM ${X:-y}\n") == ["y"]
    assert references("ARG X=\nFROM i${X-y}\n") == ["i"]


@pytest.mark.parametrize("word", ["$X", "${X}", "img:$X", "${X:?unset}", "${X%.*}", "${X:+y}$X"])
def test_an_arg_without_value_in_a_from_is_an_error_with_its_line(word: str) -> None:
    with pytest.raises(WorkspaceError, match="X has no value") as raised:
        uses_of(f"# comment\nARG X\nFROM {word}\n")
    assert (raised.value.file, raised.value.line) == ("Dockerfile", 3)


@pytest.mark.parametrize(
    "word",
    ["<image>", "{{base}}", "REPLACE_ME", "img:TODO", "placeholder", "x/changeme:1", "a:b:c"],
)
def test_a_placeholder_in_a_from_is_an_error_with_its_line(word: str) -> None:
    with pytest.raises(WorkspaceError, match="is no image or stage") as raised:
        uses_of(f"\nFROM {word}\n")
    assert (raised.value.file, raised.value.line) == ("Dockerfile", 2)


def test_a_from_whose_variables_leave_nothing_is_an_error() -> None:
    with pytest.raises(WorkspaceError, match="names nothing"):
        uses_of("ARG X=\nFROM ${X}\n")


def test_an_arg_of_a_stage_is_no_arg_of_a_from() -> None:
    with pytest.raises(WorkspaceError, match="X has no value"):
        uses_of("FROM one\nARG X=1\nFROM img:$X\n")


def test_platform_is_no_part_of_the_reference() -> None:
    assert references("FROM --platform=$BUILDPLATFORM golang:1 AS b\nFROM b\n") == ["golang:1"]


def test_the_platform_s_own_args_have_values() -> None:
    dockerfile = parse_dockerfile("FROM img-$TARGETARCH\n", "Dockerfile")
    found = [find_uses(dockerfile, "", {}, one).references[0].name for one in (AMD64, ARM64)]
    assert found == ["img-amd64", "img-arm64"]


def test_lines_continue_over_comments_and_empty_lines() -> None:
    text = "FROM one\nCOPY a \\\n  # FROM two\n\n   b \\\n  c \\\n  /to\nCOPY d /\n"
    assert sources(text) == ["a", "b", "c", "d"]


def test_an_escaped_escape_continues_nothing() -> None:
    assert references("FROM one AS a\nRUN echo \\\\\nFROM two\n") == ["two"]


def test_the_escape_directive_changes_what_continues_a_line() -> None:
    text = "# escape=`\nFROM one\nCOPY a `\n  b /to\nRUN c:\\\nCOPY c /\n"
    assert sources(text) == ["a", "b", "c"]


def test_the_escape_directive_counts_at_the_top_only() -> None:
    assert sources("\n# escape=`\nFROM one\nCOPY a \\\n  b /to\n") == ["a", "b"]


@pytest.mark.parametrize(
    "opening",
    ["RUN <<EOF", "RUN <<-EOF cat", "RUN <<'EOF'", 'COPY <<"EOF" /x', "ONBUILD RUN <<EOF"],
)
def test_what_a_heredoc_holds_is_no_instruction(opening: str) -> None:
    text = f"FROM one\n{opening}\nFROM two\nCOPY no /\nEOF\nCOPY yes /\n"
    assert (references(text), sources(text)) == (["one"], ["yes"])


def test_two_heredocs_of_one_instruction_follow_each_other() -> None:
    text = "FROM one\nCOPY <<A <<B real /to/\nB\nA\nFROM two\nB\nCOPY x /\n"
    assert (references(text), sources(text)) == (["one"], ["real", "x"])


def test_a_heredoc_s_tabs_are_stripped_with_a_dash_only() -> None:
    assert references("FROM one\nRUN <<-E\n\tE\nFROM two\n") == ["two"]
    with pytest.raises(WorkspaceError, match="has no end") as raised:
        references("FROM one\nRUN <<E\n\tE\nFROM two\n")
    assert raised.value.line == 2


def test_a_shift_in_a_command_is_no_heredoc() -> None:
    assert references("FROM one\nRUN echo $((1<<2)) '<<X'\nFROM two\n") == ["two"]


def test_onbuild_makes_the_whole_context_count_and_its_images_are_found() -> None:
    uses = uses_of("FROM one\nONBUILD COPY --from=img /a /b\n")
    assert uses.onbuild
    assert uses.whole_context
    assert [reference.name for reference in uses.references] == ["one", "img"]


def test_what_onbuild_copies_is_of_the_context_of_the_image_that_it_runs_in() -> None:
    text = "FROM one\nONBUILD COPY a /a\nONBUILD RUN --mount=source=b,target=/b true\nCOPY c /c\n"
    assert sources(text) == ["c"]


def test_a_digest_pin_stays_in_the_reference() -> None:
    assert references(f"FROM base:1@{DIGEST}\n") == [f"base:1@{DIGEST}"]


def test_scratch_is_no_image() -> None:
    assert references("FROM scratch\nCOPY x /\n") == []


def test_one_dockerfile_makes_several_images_by_target_or_argument() -> None:
    text = "ARG F=cpu\nFROM base-$F AS full\nFROM alpine:3 AS slim\n"
    assert references(text, "full") == ["base-cpu"]
    assert references(text, "full", F="gpu") == ["base-gpu"]
    assert references(text, "0") == ["base-cpu"]


def test_an_unknown_target_names_the_stages() -> None:
    with pytest.raises(WorkspaceError, match="no stage 'x'") as raised:
        uses_of("FROM a AS one\nFROM b AS two\n", "x")
    assert raised.value.hint == "its stages are: one, two"


def test_sources_are_those_of_copy_add_and_bind_mounts() -> None:
    text = (
        'FROM one\nCOPY --chown=1:1 a "b c" /to/\nADD ["d e", "/to"]\n'
        "ADD https://example.com/x.tgz f /to\n"
        "RUN --mount=type=bind,source=g,target=/g x\n"
    )
    assert sources(text) == ["a", "b c", "d e", "f", "g"]


def test_what_add_takes_from_a_repository_is_no_file() -> None:
    text = "FROM one\nADD deploy@git.example.com:team/x.git /x\nADD a@b /b\n"
    assert sources(text) == ["a@b"]


def test_a_bind_mount_without_source_is_all_of_the_context() -> None:
    assert sources("FROM one\nRUN --mount=target=/src make\n") == ["."]


def test_variables_in_sources_come_from_arg_and_env_of_the_stage_and_its_base_stage() -> None:
    text = "ARG G=g\nFROM one AS a\nENV E=e\nFROM a\nARG G\nARG D=d/$E\nCOPY $D ${G} /to\n"
    assert sources(text) == ["d/e", "g"]


@pytest.mark.parametrize(
    "lines",
    [
        "COPY $X /",
        "ARG X\nCOPY $X /",
        "ARG A=$X\nCOPY $A /",
        "ENV A=$X\nADD ${A:-a} /",
        "ARG A=a.gz\nCOPY ${A^^} /",
        "ENV A=a\nARG A=b\nCOPY $A /",
    ],
)
def test_a_source_with_a_variable_without_value_makes_the_whole_context_count(lines: str) -> None:
    assert uses_of(f"FROM one\n{lines}\n").whole_context


@pytest.mark.parametrize("line", ["COPY --from=$X /a /b", "RUN --mount=from=$X,target=/x y"])
def test_a_variable_in_a_copy_s_from_is_an_error(line: str) -> None:
    with pytest.raises(WorkspaceError, match="cannot hold a variable") as raised:
        uses_of(f"FROM one\n{line}\n")
    assert raised.value.line == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no FROM"),
        ("# nothing\n", "has no FROM"),
        ("RUN x\nFROM one\n", "RUN stands before FROM"),
        ("FROM\n", "cannot be read"),
        ("FROM a b\n", "cannot be read"),
        ("FROM ${X\n", "lacks }"),
        ('FROM "a\n', 'lacks "'),
        ("FROM a\nCOPY --from=7 /x /\n", "'7' is no image or stage"),
    ],
)
def test_what_is_no_dockerfile_is_refused(text: str, message: str) -> None:
    with pytest.raises(WorkspaceError, match=message):
        uses_of(text)


def test_carriage_returns_and_a_byte_order_mark_do_not_matter() -> None:
    assert references("\ufeffFROM one\r\nCOPY a \\\r\n b /\r\n") == ["one"]


SEED_TEXT = """# escape=\\
# syntax=docker/dockerfile:1
ARG A=1 B="x y"
ARG C=${A:-2}${B:+z}
FROM --platform=$BUILDPLATFORM python:${A}-slim AS build
ENV P='/opt' Q=${P}/q
COPY --from=0 --chown=1:1 ["a b", "/c"]
RUN --mount=type=bind,from=build,target="/x" --mount=type=secret,id=t <<EOF <<-'END'
echo $((1<<2)) \\
EOF
	END
ONBUILD COPY $Q \\
  # comment

  ./x /y
FROM build
ADD https://example.com/a ${A%.*} /z
"""
PIECES = (
    "$",
    "${",
    "}",
    "<<",
    "<<E",
    '"',
    "'",
    "\\",
    "\n",
    "\\\n",
    "=",
    "@",
    ":-",
    "FROM ",
    " AS ",
)


def test_mutated_dockerfiles_give_values_or_a_workspace_error() -> None:
    chance = random.Random(7)
    refused = 0
    for _ in range(2000):
        text = SEED_TEXT
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(text) + 1)
            gone = chance.choice((0, 0, 1, 3, 20))
            new = chance.choice((*PIECES, chr(chance.randrange(1, 0x300)), "${X:-" * 2000))
            text = text[:at] + new + text[at + gone :]
        try:
            uses_of(text)
        except WorkspaceError:
            refused += 1
    assert 0 < refused < 2000
