"""How work is walked over on the CPU: by the pool of threads, a range of rows or a task each."""

from postproc.base.runtime import over_rows, run

__all__ = ["over_rows", "run"]
