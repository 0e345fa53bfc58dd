"""A file over HTTP that is given to nobody before it is released.

`python -m tests.real.gate ADDRESS FOLDER` prints its port. Who asks is written into `asked`, a line
each; a file `released` lets all go on.
"""

from __future__ import annotations

import http.server
import sys
import time
from pathlib import Path

CONTENT = b"what the gate gives\n"


def main(address: str, folder: Path) -> None:
    """Serve until ended."""

    class Gate(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with (folder / "asked").open("a") as asked:
                asked.write(f"{self.client_address[0]}\n")
            while not (folder / "released").exists():
                time.sleep(0.05)
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer((address, 0), Gate)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
