"""Neighbour lists in tasks: on one machine or many, in files, going on where they were when something fails.

:func:`lists.exact` is the whole of it in Python, ``python -m ensemble.neighbours`` on the command line.

    plan         which images, which parts, how long the lists: made once (making), kept in the work folder
    images       what the work folder says of the images
    files        arrays that say when they are damaged, whole or not there
    tasks        what one process does: a pair of parts, the lists of one part
    engines      where tasks run: here, or wherever a Dask client sends them
    lists        all of it
    approximate  lists from an index of faiss, their distances exact
"""
