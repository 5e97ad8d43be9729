"""Where tasks run: in this process one after the other, or wherever a Dask client sends them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from ensemble.base.errors import InputError
from postproc.base import extras, runtime

if TYPE_CHECKING:
    from distributed import Client

AHEAD = 2  # tasks given out for each worker: one that it does, one that waits for it
PATIENCE = 10.0  # seconds for a scheduler to answer, and for the first of its workers
GRACE = 0.6  # seconds for a process that has no task to end by itself
Task = tuple[Any, ...]


class Engine(Protocol):
    """Runs tasks: functions of importable modules, with plain values."""

    workers: int
    threads: int

    def run(self, function: Callable[..., Any], tasks: Sequence[Task]) -> Iterator[Any]:
        """What the tasks give, in the order in which they are done. Raises what a task raises."""
        ...


class Here:
    """This process, with its threads."""

    workers = 1

    def __init__(self) -> None:
        self.threads = runtime.current().threads

    def run(self, function: Callable[..., Any], tasks: Sequence[Task]) -> Iterator[Any]:
        for task in tasks:
            yield function(*task)


class Cluster:
    """The workers of a Dask client, as many as there are while it runs.

    A task that is lost with its worker is done again by another. Few are given out at a time, so that a scheduler
    holds nothing of the others, and each worker has one.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise InputError(
                [
                    f"{_address(client)}: wanted a scheduler with workers, found none in {PATIENCE:g} seconds; "
                    "start some"
                ]
            ) from None
        counts = list(client.nthreads().values())
        self.workers, self.threads = len(counts), max(counts)

    def run(self, function: Callable[..., Any], tasks: Sequence[Task]) -> Iterator[Any]:
        from distributed import as_completed

        waiting = iter(tasks)
        flying = as_completed(loop=self.client.loop)

        def give(count: int) -> None:
            for _, task in zip(range(count), waiting, strict=False):
                flying.add(self.client.submit(on_worker, function, task, pure=False))

        give(AHEAD * self.workers)
        try:
            for future in flying:
                with _lost_in_a_sentence(self.client):
                    result = future.result()
                give(1)
                yield result
        finally:
            left = list(flying.futures)
            if left and self.client.status == "running":
                self.client.cancel(left, force=True)


def on_worker(function: Callable[..., Any], task: Task) -> Any:
    """A task in a worker, with the worker's threads."""
    from distributed import get_worker

    return function(*task, threads=get_worker().state.nthreads)


@contextmanager
def local(workers: int) -> Iterator[Engine]:
    """``workers`` processes on this machine, its threads dealt out among them; one: this process itself."""
    if workers == 1:
        yield Here()
        return
    with _distributed():
        import logging
        from tempfile import TemporaryDirectory

        from distributed import Client, LocalCluster
    threads = max(1, runtime.current().threads // workers)
    with (
        TemporaryDirectory(prefix="neighbours-") as scratch,
        LocalCluster(
            n_workers=workers, threads_per_worker=threads, processes=True, dashboard_address="127.0.0.1:0",
            memory_limit=0, silence_logs=logging.CRITICAL, local_directory=scratch,
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        try:
            yield Cluster(client)
        finally:
            cluster.sync(_stop, list(cluster.workers.values()))


async def _stop(nannies: Sequence[Any]) -> None:
    """End processes of this machine. A task that still runs leaves no file, so that nobody has to wait for it.

    By themselves they would be waited for four seconds.
    """
    import asyncio

    await asyncio.gather(*(nanny.close(timeout=GRACE, reason="done") for nanny in nannies), return_exceptions=True)


@contextmanager
def at(address: str) -> Iterator[Engine]:
    """The workers of a scheduler that runs already; TLS and all else as Dask's own configuration says."""
    with _distributed():
        from distributed import Client
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise InputError(
            [
                f"--scheduler: wanted a Dask scheduler at {address}, found none ({reason}); start one, or say "
                "--workers"
            ]
        ) from None
    with client:
        yield Cluster(client)


@contextmanager
def _distributed() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        command = extras.install("dask")
        raise InputError([f"workers: wanted the package distributed, found none ({error}); {command}"]) from None


@contextmanager
def _lost_in_a_sentence(client: Client) -> Iterator[None]:
    """What happens to tasks far away, as an error of ours."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker
    from distributed.comm import CommClosedError

    try:
        yield
    except KilledWorker as error:
        raise InputError(
            [f"{_address(client)}: wanted a task done, found {error.allowed_failures + 1} workers lost with it, "
             "one after the other; look at their logs and at their memory"]
        ) from None  # fmt: skip
    except (CancelledError, CommClosedError) as error:
        raise InputError(
            [f"{_address(client)}: wanted the scheduler, found it gone ({type(error).__name__}); start it again"]
        ) from None


def _address(client: Client) -> str:
    return str(getattr(client.scheduler, "address", "scheduler"))
