"""Asking a service from inside its container, with what the image has: Python, curl or wget."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.verify.contents import Contents
from orchestrator.verify.observed import Answer, Process
from orchestrator.verify.runtime import Container

_BODY_BYTES = 4000
_TIMEOUT_S = 5
_STATUS = re.compile(r"HTTP/\S+ (\d{3})")
_ASK = f"""
import http.client, sys
from urllib.parse import urlsplit
url = urlsplit(sys.argv[1])
asked = http.client.HTTPConnection(url.hostname, url.port, timeout={_TIMEOUT_S})
asked.request("GET", url.path)
answer = asked.getresponse()
body = answer.read({_BODY_BYTES}).decode("utf-8", "replace")
sys.stdout.buffer.write((str(answer.status) + "\\n" + body).encode())
"""
_LIST = """
import glob
for name in glob.glob("/proc/[0-9]*/status"):
    try:
        print(open(name).read())
    except OSError:
        pass
"""


@dataclass(frozen=True, slots=True)
class Prober:
    """A program of the image that asks; `kind` is python, curl, wget or nothing.

    `shell` is one that lists processes where there is no Python. `timeout` ends wget, which not
    everywhere has an option for that (busybox).
    """

    kind: str = ""
    program: str = ""
    shell: str = ""
    timeout: str = ""

    def ask(self, container: Container, url: str) -> Answer:
        """Ask a URL once."""
        code, said = container.run(self._words(url))
        status, body = self._read(said) if code == 0 else ("", "")
        if self.kind == "wget" and code and (refused := _STATUS.search(said)):
            status = refused[1]  # told only where it is no success, and without a body
        if status.isdecimal():
            return Answer(int(status), body)
        return Answer(0, (said.strip().splitlines() or [f"exit code {code}"])[-1])

    def _read(self, said: str) -> tuple[str, str]:
        """Return status and body of an answer that came."""
        if self.kind == "wget":
            return "200", said
        if self.kind == "curl":
            body, _, status = said.rpartition("\n")
        else:
            status, _, body = said.partition("\n")
        return status, body

    def list_processes(self, container: Container) -> tuple[Process, ...]:
        """Return the processes of a container but those that were run in it; none if unknown."""
        words = [self.program, "-I", "-c", _LIST]
        if self.kind != "python":
            words = [self.shell, "-c", "for f in /proc/[0-9]*/status; do cat $f; echo; done"]
        if not words[0]:
            return ()
        code, said = container.run(words)
        return _processes(said) if code == 0 else ()

    def _words(self, url: str) -> list[str]:
        if self.kind == "python":
            return [self.program, "-I", "-c", _ASK, url]
        if self.kind == "curl":
            written = ["-sS", "--max-time", str(_TIMEOUT_S), "-w", "\n%{http_code}"]
            return [self.program, *written, url]
        limited = [self.timeout, str(_TIMEOUT_S)] if self.timeout else []
        return [*limited, self.program, "-q", "-O", "-", url]


def find_prober(contents: Contents, venv: str) -> Prober:
    """Return what an image can be asked with."""
    shell = _find(contents, "sh")
    if python := contents.python(venv):
        return Prober("python", python, shell)
    for kind in ("curl", "wget"):
        if program := _find(contents, kind):
            return Prober(kind, program, shell, _find(contents, "timeout"))
    return Prober(shell=shell)


def _find(contents: Contents, program: str) -> str:
    for folder in ("usr/local/bin", "usr/bin", "bin"):
        if contents.find_file(f"{folder}/{program}"):
            return f"/{folder}/{program}"
    return ""


def _processes(text: str) -> tuple[Process, ...]:
    """Read what stands in `/proc/PID/status`, one after the other (proc_pid_status(5))."""
    found = []
    for block in re.split(r"(?m)^(?=Name:)", text):
        fields = dict(line.partition(":")[::2] for line in block.splitlines() if ":" in line)
        if not {"Pid", "PPid", "Uid", "Gid"} <= fields.keys():
            continue
        pid, parent = int(fields["Pid"]), int(fields["PPid"])
        if parent or pid == 1:  # another without a parent was brought in from outside
            uid, gid = (int(fields[key].split()[0]) for key in ("Uid", "Gid"))
            found.append(Process(pid, uid, gid, fields["Name"].strip()))
    return tuple(sorted(found, key=lambda process: process.pid))
