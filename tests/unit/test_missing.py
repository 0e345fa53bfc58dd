"""What a failed build was missing, from what compilers and build tools say."""

from __future__ import annotations

import pytest

from orchestrator.wheelhouse.missing import Remedy, find_missing, tail


@pytest.mark.parametrize(
    ("line", "what", "package"),
    [
        ("x.c:1:10: fatal error: Python.h: No such file or directory", "Python's", "python3-dev"),
        ("x.c:1:10: fatal error: libavformat/avformat.h: No such file or directory", "ffmpeg", ""),
        ("pkg-config: No package 'libavcodec' found", "ffmpeg", "libavcodec-dev"),
        ("Package libavutil was not found in the pkg-config search path.", "ffmpeg", ""),
        ("x.c:3:9: fatal error: 'sndfile.h' file not found", "libsndfile", "libsndfile1-dev"),
        ("x.c:3:9: fatal error: openssl/ssl.h: No such file or directory", "OpenSSL", "libssl-dev"),
        ("/usr/bin/ld: cannot find -lpq: No such file or directory", "library pq", ""),
        ("/usr/bin/ld: cannot find -lffi", "libffi", "libffi-dev"),
        ("error: command 'gcc' failed: No such file or directory", "program gcc", "gcc"),
        ("error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory", "gcc", "gcc"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'cmake'", "cmake", "cmake"),
        ("/bin/sh: 1: pkg-config: not found", "pkg-config", "pkg-config"),
        ("error: can't find Rust compiler", "a Rust compiler", "cargo"),
    ],
)
def test_what_the_machine_lacks_is_known_with_its_package(
    line: str, what: str, package: str
) -> None:
    (missing,) = find_missing(f"building\n{line}\nerror: build failed\n")
    assert what in missing.what
    assert missing.remedy is Remedy.SYSTEM
    assert not package or package in missing.packages


@pytest.mark.parametrize(
    ("line", "package"),
    [
        ("ModuleNotFoundError: No module named 'Cython'", "cython"),
        ("ModuleNotFoundError: No module named 'numpy.core'", "numpy"),
        ("ModuleNotFoundError: No module named 'some_thing'", "some-thing"),
        ("error: invalid command 'bdist_wheel'", "wheel"),
    ],
)
def test_what_the_environment_lacks_goes_into_requires(line: str, package: str) -> None:
    (missing,) = find_missing(line)
    assert (missing.remedy, missing.packages) == (Remedy.REQUIRES, (package,))
    assert f'requires = ["{package}"] to [wheels.name]' in missing.advice("name")


def test_an_unknown_header_says_how_to_find_its_package() -> None:
    (missing,) = find_missing("fatal error: odd/thing.h: No such file or directory")
    assert missing.packages == ()
    assert "apt-file search" in missing.advice("name")


def test_each_thing_is_named_once_and_a_good_log_misses_nothing() -> None:
    line = "fatal error: zlib.h: No such file or directory\n"
    assert len(find_missing(line * 3)) == 1
    assert find_missing("Successfully built\nNo such file or directory: 'data.txt'\n") == ()


def test_the_tail_is_the_last_forty_lines() -> None:
    assert tail("".join(f"{n}\n" for n in range(100)))[:1] == ("60",)
    assert tail("one\n") == ("one",)
