"""Neighbour lists in tasks: on one machine or many, in files, going on where they were when something fails.

:func:`lists.exact` is the whole of it in Python, ``python -m ensemble.neighbours`` on the command line. What
follows the lists, k-reciprocal re-ranking, goes over ranges of rows: :func:`reranking.reranked`, ``python -m
ensemble.run --neighbours GRAPH --workers N``.

    plan         which images, which parts, how long the lists: made once (making), kept in the work folder
    images       what the work folder says of the images
    files        arrays that say when they are damaged, whole or not there
    tasks        what one process does: a pair of parts, the lists of one part
    engines      where tasks run: here, or wherever a Dask client sends them
    stages       tasks of one kind, those whose file is not there
    lists        all of it
    approximate  lists from an index of faiss, their distances exact; shards: the index of a part

    rerank_plan  of which lists, at which settings, in which ranges of rows
    groups       what tasks of one kind have found, put together and mapped by the next
    rerank_tasks what one process does of a range
    reranking    all of it
    running      a run that does it so
"""
