"""The code blocks of pages: found with what is said of them, and compared with what was said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.codeblocks import CodeBlock, Step, code_blocks, is_said, steps_of

PAGE = """\
# A page

```sh
make
```

<!-- not run: it needs a cluster -->
```console
$ orch push
```

- in a list:

  ```toml
  a = 1

  b = 2
  ```

      indented, and no fence

````text
```sh
not a block of its own
```
````
"""


def page_of(folder: Path, text: str) -> Path:
    page = folder / "page.md"
    page.write_text(text)
    return page


def test_blocks_come_in_order_with_language_line_and_text(tmp_path: Path) -> None:
    page = page_of(tmp_path, PAGE)
    assert code_blocks(page) == [
        CodeBlock(page, 4, "sh", "make\n"),
        CodeBlock(page, 9, "console", "$ orch push\n", "it needs a cluster"),
        CodeBlock(page, 15, "toml", "a = 1\n\nb = 2\n"),
        CodeBlock(page, 20, "", "indented, and no fence\n"),
        CodeBlock(page, 23, "text", "```sh\nnot a block of its own\n```\n"),
    ]


def test_blocks_of_named_languages_alone(tmp_path: Path) -> None:
    page = page_of(tmp_path, PAGE)
    assert [block.language for block in code_blocks(page, "sh", "toml")] == ["sh", "toml"]


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("<!-- not run: why\nnot -->\n", "why\nnot"),
        ("<!-- not run: why -->\n\n", "why"),
        ("<!-- not run: -->\n", ""),
        ("<!-- not run: why -->\ntext\n\n", ""),
        ("<!-- not run: why -->\n\n- a list\n\n", ""),
        ("<!-- a comment -->\n", ""),
    ],
)
def test_a_mark_counts_just_before_its_block_and_with_a_reason(
    tmp_path: Path, before: str, reason: str
) -> None:
    (block,) = code_blocks(page_of(tmp_path, f"{before}```sh\nmake\n```\n"))
    assert block.not_run == reason


def test_steps_are_commands_with_what_is_shown_below() -> None:
    text = "$ orch plan\na  build\n\n> 1 build\n$ for x in 1 2\n> do echo $x; done\n1\n2\n$ true\n"
    assert steps_of(CodeBlock(Path("page.md"), 7, "console", text)) == [
        Step(7, "orch plan", ("a  build", "", "> 1 build")),
        Step(11, "for x in 1 2\ndo echo $x; done", ("1", "2")),
        Step(15, "true"),
    ]


def test_a_console_block_that_begins_without_a_command_is_refused_with_its_line() -> None:
    with pytest.raises(ValueError, match=r"page\.md:7"):
        steps_of(CodeBlock(Path("page.md"), 7, "console", "output\n"))


SAID = "building api\n[1/2] built web  sha256:0123456789ab  55.8 MB, 0.6 s\n\n2 built in 1.5 s\n"


@pytest.mark.parametrize(
    "shown",
    [
        SAID,
        "...",
        "...\n2 built in 34.6 s",
        "building api\n...\n2 built in 0.1 s\n",
        "...\n[1/2] built web  sha256:ba9876543210  1 GB, 10 s\n\n...",
        "...\n[1/2] ...  sha256:..., 0.6 s\n...",
        "...\n[1/2] built web  sha256:0123456789ab      155.8 MB, 0.6 s\n...",
        "",
    ],
)
def test_what_was_said_is_recognised(shown: str) -> None:
    assert is_said(shown.splitlines(), SAID)


@pytest.mark.parametrize(
    "shown",
    [
        "2 built in 1.5 s",
        "building api",
        "...\n3 built in 1.5 s",
        "...\nbuilt in 1.5 s",
        "2 built in 1.5 s\n...\nbuilding api",
        "...\n[1/2] built web  sha256:0123456789ab  55 layers, 0.6 s\n...",
        "building .pi\n...",
    ],
)
def test_what_was_not_said_so_is_not_recognised(shown: str) -> None:
    assert not is_said(shown.splitlines(), SAID)
