"""What a process holds that is of no file: the largest of it while something runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STATUS = Path("/proc/self/status")
EVERY = 0.02  # seconds from one look to the next


def now(kind: str = "RssAnon") -> int:
    """Bytes of this process: RssAnon, of no file; RssFile, of files, libraries and what is mapped."""
    for line in STATUS.read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1]) << 10
    raise SystemExit(f"bench: wanted {kind} in {STATUS}, as Linux has it, found none")


@contextmanager
def watched() -> Iterator[list[int]]:
    """A list of one number, which is the most so far inside, and at the end the most of all."""
    most, done = [now()], threading.Event()

    def watch() -> None:
        while not done.wait(EVERY):
            most[0] = max(most[0], now())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        done.set()
        watcher.join()
        most[0] = max(most[0], now())
