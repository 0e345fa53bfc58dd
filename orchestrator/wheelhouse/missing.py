"""What a failed build was missing, read from its log: known headers, libraries and programs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

TAIL_LINES = 40


class Remedy(Enum):
    """Where what was missing is to be named: the key of `[wheels.NAME]`."""

    SYSTEM = "system"
    REQUIRES = "requires"


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that a build was missing, and the packages that bring it; none if unknown."""

    what: str
    remedy: Remedy
    packages: tuple[str, ...] = ()

    def advice(self, project: str) -> str:
        """Say in a line what to do."""
        if not self.packages:
            return f"{self.what}: find its package with `apt-file search`, and add it to system"
        names = ", ".join(f'"{name}"' for name in self.packages)
        return f"{self.what}: add {self.remedy.value} = [{names}] to [wheels.{project}]"


_FFMPEG = (
    "libavformat-dev",
    "libavcodec-dev",
    "libavdevice-dev",
    "libavutil-dev",
    "libavfilter-dev",
    "libswscale-dev",
    "libswresample-dev",
    "pkg-config",
)
_FFMPEG_PARTS = "|".join(name.removesuffix("-dev") for name in _FFMPEG[:-1])

_HEADERS: Sequence[tuple[str, str, tuple[str, ...]]] = (
    (r"Python\.h", "Python's headers", ("python3-dev",)),
    (rf"({_FFMPEG_PARTS})/.*", "ffmpeg headers", _FFMPEG),
    (r"(std(io|lib|def|int)|string|limits|math|errno|features)\.h", "C's headers", ("libc6-dev",)),
    (r"(iostream|vector|string|memory|cstdint|algorithm)", "C++'s headers", ("g++",)),
    (r"portaudio\.h", "PortAudio's headers", ("portaudio19-dev",)),
    (r"sndfile\.h", "libsndfile's headers", ("libsndfile1-dev",)),
    (r"alsa/.*", "ALSA's headers", ("libasound2-dev",)),
    (r"(libpq-fe|postgres_ext|pg_config)\.h", "PostgreSQL's headers", ("libpq-dev",)),
    (r"mysql(/.*|\.h)", "MySQL's headers", ("default-libmysqlclient-dev", "pkg-config")),
    (r"sqlite3\.h", "SQLite's headers", ("libsqlite3-dev",)),
    (r"sql(ext)?\.h", "ODBC's headers", ("unixodbc-dev",)),
    (r"ffi\.h", "libffi's headers", ("libffi-dev",)),
    (r"openssl/.*", "OpenSSL's headers", ("libssl-dev",)),
    (r"sodium\.h", "libsodium's headers", ("libsodium-dev",)),
    (r"libxml/.*", "libxml2's headers", ("libxml2-dev", "libxslt1-dev")),
    (r"libxslt/.*", "libxslt's headers", ("libxslt1-dev",)),
    (r"yaml\.h", "libyaml's headers", ("libyaml-dev",)),
    (r"zlib\.h", "zlib's headers", ("zlib1g-dev",)),
    (r"bzlib\.h", "bzip2's headers", ("libbz2-dev",)),
    (r"lzma\.h", "liblzma's headers", ("liblzma-dev",)),
    (r"zstd\.h", "zstd's headers", ("libzstd-dev",)),
    (r"snappy(-c)?\.h", "Snappy's headers", ("libsnappy-dev",)),
    (r"(jpeglib|turbojpeg)\.h", "JPEG's headers", ("libjpeg-dev",)),
    (r"png\.h", "PNG's headers", ("libpng-dev",)),
    (r"tiff(io)?\.h", "TIFF's headers", ("libtiff-dev",)),
    (r"(ft2build\.h|freetype/.*)", "FreeType's headers", ("libfreetype-dev",)),
    (r"webp/.*", "WebP's headers", ("libwebp-dev",)),
    (r"cairo(/.*|\.h)", "Cairo's headers", ("libcairo2-dev", "pkg-config")),
    (r"(lber|ldap)\.h", "OpenLDAP's headers", ("libldap2-dev", "libsasl2-dev")),
    (r"sasl/.*", "SASL's headers", ("libsasl2-dev",)),
    (r"(gssapi|krb5)(/.*|\.h)", "Kerberos' headers", ("libkrb5-dev",)),
    (r"librdkafka/.*", "librdkafka's headers", ("librdkafka-dev",)),
    (r"(cblas|lapacke)\.h", "BLAS' headers", ("libopenblas-dev",)),
    (r"hdf5\.h", "HDF5's headers", ("libhdf5-dev",)),
    (r"curl/.*", "curl's headers", ("libcurl4-openssl-dev",)),
    (r"opus(/.*|\.h)", "Opus' headers", ("libopus-dev",)),
    (r"(espeak-ng|espeak)/.*", "eSpeak NG's headers", ("libespeak-ng-dev",)),
    (r"(fftw3)\.h", "FFTW's headers", ("libfftw3-dev",)),
    (r"samplerate\.h", "libsamplerate's headers", ("libsamplerate0-dev",)),
    (r"libusb.*\.h", "libusb's headers", ("libusb-1.0-0-dev",)),
    (r"systemd/.*", "systemd's headers", ("libsystemd-dev", "pkg-config")),
    (r"gmp\.h", "GMP's headers", ("libgmp-dev",)),
    (r"mp(fr|c)\.h", "MPFR's and MPC's headers", ("libmpfr-dev", "libmpc-dev")),
    (r"(geos_c)\.h", "GEOS' headers", ("libgeos-dev",)),
    (r"linux/.*", "Linux' headers", ("linux-libc-dev",)),
)
_PROGRAMS = {
    "gcc": ("gcc", "libc6-dev"),
    "cc": ("gcc", "libc6-dev"),
    "c++": ("g++",),
    "g++": ("g++",),
    "make": ("make",),
    "cmake": ("cmake",),
    "ninja": ("ninja-build",),
    "pkg-config": ("pkg-config",),
    "pkgconf": ("pkg-config",),
    "cargo": ("cargo",),
    "rustc": ("rustc",),
    "gfortran": ("gfortran",),
    "nasm": ("nasm",),
    "swig": ("swig",),
    "bison": ("bison",),
    "flex": ("flex",),
    "autoconf": ("autoconf",),
    "git": ("git",),
    "patch": ("patch",),
    "pg_config": ("libpq-dev",),
    "mysql_config": ("default-libmysqlclient-dev",),
    "xslt-config": ("libxml2-dev", "libxslt1-dev"),
    "llvm-config": ("llvm-dev",),
    "ld": ("binutils",),
}
_HEADER = re.compile(r"fatal error: '?([\w./+-]+)'?(?:: No such file| file not found)")
_LIBRARY = re.compile(r"(?:ld|lld): (?:error: )?cannot find -l:?(?:lib)?([\w+-]+)")
_PKG_CONFIG = re.compile(
    r"No package '([\w.+-]+)' found"
    r"|Package '?([\w.+-]+)'?(?:, required by '[^']*',)? (?:was )?not found"
)
_PROGRAM = (
    re.compile(r"command '([^']+)' failed: No such file or directory"),
    re.compile(r"unable to execute '([^']+)': No such file or directory"),
    re.compile(r"No such file or directory: '([\w.+/-]+)'$", re.MULTILINE),
    re.compile(r"(?:sh|bash)(?:: line \d+| *: \d+)?: ([\w.+-]+): (?:command )?not found"),
    re.compile(r"([\w.+-]+): command not found"),
    re.compile(r"[Cc]ould(?: not|n't) find (?:the )?`?(\w+)`? (?:executable|program)"),
    re.compile(r"can't find (Rust) compiler"),
)
_MODULE = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
_PROJECTS = {
    "Cython": "cython",
    "numpy": "numpy",
    "pkg_resources": "setuptools<81",
    "setuptools": "setuptools",
    "wheel": "wheel",
    "pybind11": "pybind11",
    "cffi": "cffi",
    "skbuild": "scikit-build",
    "torch": "torch",
    "distutils": "setuptools",
}


def find_missing(log: str) -> tuple[Missing, ...]:
    """Return what a build's log says was missing, each once, in the order of the log."""
    return tuple(dict.fromkeys(_find(log)))


def tail(log: str) -> tuple[str, ...]:
    """Return the last lines of a log."""
    return tuple(log.rstrip().splitlines()[-TAIL_LINES:])


def _find(log: str) -> Iterator[Missing]:
    for header in _HEADER.findall(log):
        yield _of_header(header)
    for name in _LIBRARY.findall(log):
        yield _of_library(name)
    for names in _PKG_CONFIG.findall(log):
        yield _of_library("".join(names))
    for name in _matches(_PROGRAM, log):
        if found := _of_program(name):
            yield found
    for module in _MODULE.findall(log):
        top = module.partition(".")[0]
        packages = (_PROJECTS.get(top, top.replace("_", "-").lower()),)
        yield Missing(f"Python module {module}", Remedy.REQUIRES, packages)
    if "invalid command 'bdist_wheel'" in log:
        yield Missing("the command bdist_wheel", Remedy.REQUIRES, ("wheel",))


def _matches(patterns: Iterable[re.Pattern[str]], log: str) -> Iterator[str]:
    for pattern in patterns:
        yield from pattern.findall(log)


def _of_header(header: str) -> Missing:
    for pattern, what, packages in _HEADERS:
        if re.fullmatch(pattern, header):
            return Missing(what, Remedy.SYSTEM, packages)
    return Missing(f"the header {header}", Remedy.SYSTEM)


def _of_library(name: str) -> Missing:
    """Look a library, or a package of pkg-config, up among the headers of its name."""
    short = name.removeprefix("lib")
    if re.fullmatch(_FFMPEG_PARTS, name) or re.fullmatch(_FFMPEG_PARTS, f"lib{name}"):
        return Missing("ffmpeg headers", Remedy.SYSTEM, _FFMPEG)
    for spelling in (name, short):
        for candidate in (f"{spelling}.h", f"{spelling}/x", f"{spelling}lib.h"):
            found = _of_header(candidate)
            if found.packages:
                return found
    return Missing(f"the library {name}", Remedy.SYSTEM)


def _of_program(path: str) -> Missing | None:
    """Return a known program; a file that is missing and is none is left to the log."""
    name = path.rpartition("/")[2]
    if name == "Rust":
        return Missing("a Rust compiler", Remedy.SYSTEM, ("cargo", "rustc"))
    plain = re.sub(r"^[\w]+-linux-gnu-|-\d+$", "", name)
    if plain not in _PROGRAMS:
        return None
    return Missing(f"the program {plain}", Remedy.SYSTEM, _PROGRAMS[plain])
