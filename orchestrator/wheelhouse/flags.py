"""How extensions are compiled, whoever built this machine's Python and wherever it lies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

_NAME = "_orch_build_flags"
_FLAGS = "-Wall -O2 -fwrapv -DNDEBUG -fPIC"


def write_flags(site_packages: Path, compiler: Mapping[str, str]) -> None:
    """Let the Python of a virtual environment give neutral flags to who compiles with it.

    A Python's makefile knows the folder it was built in, its distribution's flags and where its
    libraries lie; setuptools would put all that into an extension. Names, such as the suffix of
    extensions, stay. `compiler` has CC and CXX where they are not gcc and g++.
    """
    cc, cxx = compiler.get("CC", "gcc"), compiler.get("CXX", "g++")
    changed = {
        "CC": cc,
        "CXX": cxx,
        "LINKCC": cc,
        "CFLAGS": _FLAGS,
        "PY_CFLAGS": _FLAGS,
        "OPT": "-DNDEBUG -O2 -fwrapv -Wall",
        "CPPFLAGS": "",
        "CCSHARED": "-fPIC",
        "CONFIGURE_CFLAGS": "",
        "CONFIGURE_LDFLAGS": "",
        "LDFLAGS": "",
        "PY_LDFLAGS": "",
        "LDSHARED": f"{cc} -shared",
        "BLDSHARED": f"{cc} -shared",
        "LDCXXSHARED": f"{cxx} -shared",
        "AR": "ar",
        "ARFLAGS": "rcs",
        "LIBDIR": "/usr/lib",
        "Py_ENABLE_SHARED": 0,
    }
    text = (
        "import importlib, sysconfig\n"
        "_own = importlib.import_module(sysconfig._get_sysconfigdata_name())\n"
        f"build_time_vars = {{**_own.build_time_vars, **{changed!r}}}\n"
        "sysconfig._get_sysconfigdata_name = lambda: __name__\n"
    )
    (site_packages / f"{_NAME}.py").write_text(text, "utf-8")
    (site_packages / f"{_NAME}.pth").write_text(f"import {_NAME}\n", "utf-8")


def environment(given: Mapping[str, str], root: str, path: str, time_s: int) -> dict[str, str]:
    """Return all variables that a build has.

    `given` are the settings'. `root` is the folder it works in, as it sees it: what the compiler
    writes into its output names `/build` instead. `path` is where programs are looked for.
    """
    mapped = f"-ffile-prefix-map={root}=/build"
    flags = {"CFLAGS": f"-g0 {mapped}", "CXXFLAGS": f"-g0 {mapped}"}
    flags["RUSTFLAGS"] = f"--remap-path-prefix={root}=/build"
    return {
        "PATH": path,
        "HOME": str(PurePosixPath(root, "home")),
        "TMPDIR": str(PurePosixPath(root, "tmp")),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "SOURCE_DATE_EPOCH": str(time_s),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        **given,
        **{name: f"{given.get(name, '')} {flag}".strip() for name, flag in flags.items()},
    }
