"""How much sooner 300 wheels are here at 8 at a time than at one at a time.

    python bench/wheels.py                       300 files, 30 ms before each answer
    python bench/wheels.py --files 100 --latency-ms 80 --jobs 16

A server on this machine waits before each answer, as one at a distance does. Prints the time of
each way and their ratio, which should be at most a third.
"""

from __future__ import annotations

import argparse
import hashlib
import http.server
import random
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from orchestrator.fetch import Downloads
from orchestrator.supply import Artifact

SIZES_BYTES = (5_000, 20_000, 60_000, 150_000, 400_000)


@contextmanager
def server(files: Mapping[str, bytes], latency_s: float) -> Iterator[str]:
    """Serve files by name, each answer after a wait; yield the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 20  # head and body at once: no wait for the client's acknowledgement

        def do_GET(self) -> None:
            time.sleep(latency_s)
            data = files[self.path.removeprefix("/")]
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            pass

    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 64
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}"
        finally:
            running.shutdown()
            thread.join()


def fetch_all(artifacts: Sequence[Artifact], jobs: int) -> float:
    """Fetch into an empty folder; return how long it took, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        with closing(Downloads(Path(folder), jobs=jobs)) as downloads:
            for future in [downloads.start(artifact) for artifact in artifacts]:
                future.result()
        return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--latency-ms", type=float, default=30)
    parser.add_argument("--jobs", type=int, default=8)
    given = parser.parse_args()
    chance = random.Random(0)
    files = {
        f"wheel-{number}.whl": chance.randbytes(chance.choice(SIZES_BYTES))
        for number in range(given.files)
    }
    with server(files, given.latency_ms / 1000) as address:
        artifacts = [_artifact(name, data, f"{address}/{name}") for name, data in files.items()]
        fetch_all(artifacts[:8], 8)  # what is imported late is imported now
        alone_s = fetch_all(artifacts, 1)
        together_s = fetch_all(artifacts, given.jobs)
    total_mb = sum(map(len, files.values())) / 1e6
    print(f"{given.files} files, {total_mb:.0f} MB, {given.latency_ms:.0f} ms before each answer")
    print(f"one at a time: {alone_s:.2f} s; {given.jobs} at a time: {together_s:.2f} s")
    print(f"ratio: {together_s / alone_s:.2f} (should be at most 0.33)")


def _artifact(name: str, data: bytes, url: str) -> Artifact:
    return Artifact(name, hashlib.sha256(data).hexdigest(), len(data), lambda: [url])


if __name__ == "__main__":
    main()
