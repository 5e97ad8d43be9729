"""Distances and lists of several models as one ranking: what ``ensemble.run --rankings`` does."""

from collections.abc import Sequence
from typing import Unpack

from ensemble.base.errors import InputError
from ensemble.interface import arguments
from ensemble.interface.arguments import Changes, Data, Options, Rules, in_python
from ensemble.interface.ranking import Ranking, parser, ranked
from ensemble.interface.recipes import Recipe, RecipeGiven, Step, recipe_of


def fuse(
    rankings: Data,
    recipe: RecipeGiven = None,
    *,
    join: "Step | None" = None,
    query_names: Data = None,
    gallery_names: Data = None,
    query_pid: Data = None,
    gallery_pid: Data = None,
    query_cam: Data = None,
    gallery_cam: Data = None,
    similarity: "str | Sequence[str] | None" = None,
    set: "Changes | None" = None,
    top_k: int | None = None,
    protocol: "Rules | None" = None,
    device: str = "cpu",
    threads: int | None = None,
    memory: str | None = None,
    quiet: bool = True,
    **options: Unpack[Options],
) -> Ranking:
    """Join distances or lists of several models.

    rankings: the path of a folder with rank lists, tables of pairs or matrices; or in memory (nq, ng) matrices by
              the names of their models, or a list of such; in the place of a matrix the nearest images, as steps
              and :func:`ensemble.rank` return them, whose other pairs are not known.
    recipe:   None: ``joined``, or ``lists`` for a folder with rank lists alone. join: in its place a join alone,
              as ``("weighted_sum", {"weights": [1, 0.5]})``.
    names and labels: (nq,) and (ng,) of matrices in memory; for a folder ``query_names`` and ``gallery_names`` are
              files.
    similarity: models whose numbers are larger for nearer images.
    The others: as for :func:`ensemble.rank`.
    Raises:   InputError with every problem; what goes against the others, as similarities do, ``notes`` say.
    """
    keywords = {
        **{"query_names": query_names, "gallery_names": gallery_names},
        **{"query_pid": query_pid, "gallery_pid": gallery_pid, "query_cam": query_cam, "gallery_cam": gallery_cam},
        **{"similarity": similarity, "set": set, "protocol": protocol, "device": device, "threads": threads},
        **{"memory": memory, "quiet": quiet, **options},
    }
    with in_python():
        if join is not None and recipe is not None:
            raise InputError(["join: wanted a recipe or a join, found both; leave one out"])
        used = recipe if join is None else Recipe([], join=join, name="fused")
        return ranked(
            arguments.asked(parser(), rankings, lambda: recipe_of(used), keywords, top_k=top_k, source="rankings")
        )
