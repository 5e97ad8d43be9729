"""Scores by counting instead of sorting: the same functions for arrays (``cpu``) and CUDA tensors (``cuda``)."""

from types import ModuleType

from ensemble.base.kinds import Array
from postproc.base import arrays


def of(array: Array) -> ModuleType:
    """The module that counts where the array is."""
    if arrays.on_cuda(array):
        from ensemble.scores.counting import cuda

        return cuda
    from ensemble.scores.counting import cpu

    return cpu
