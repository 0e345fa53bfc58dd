"""Compiles Python sources to bytecode; run by the image's interpreter, not imported by orch.

Reads frames `<path length><source length><path><source>` from standard input and answers each
with `<length><pyc>`; length 0 says that the source does not compile. Lengths are 32 bits, little
endian. The pyc is hash-based and unchecked (PEP 552), so it holds no time stamp.
"""

import importlib.util
import marshal
import struct
import sys


def main() -> None:
    """Answer frames until standard input ends."""
    source_in, pyc_out = sys.stdin.buffer, sys.stdout.buffer
    while True:
        head = source_in.read(8)
        if len(head) < 8:
            return
        path_length, source_length = struct.unpack("<LL", head)
        path = source_in.read(path_length).decode()
        pyc = compile_source(path, source_in.read(source_length))
        pyc_out.write(struct.pack("<L", len(pyc)))
        pyc_out.write(pyc)
        pyc_out.flush()


def compile_source(path: str, source: bytes) -> bytes:
    """Return a pyc, or nothing where the source does not compile."""
    try:
        code = compile(source, path, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError, RecursionError):
        return b""
    flags = struct.pack("<L", 1)
    source_hash = importlib.util.source_hash(source)
    return importlib.util.MAGIC_NUMBER + flags + source_hash + marshal.dumps(code)


if __name__ == "__main__":
    main()
