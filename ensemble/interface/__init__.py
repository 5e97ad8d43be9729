"""What ``import ensemble`` gives: the commands as functions of Python, on folders and on arrays in memory.

    arguments  keywords become the options of a command; what is refused is said in Python's words
    recipes    Recipe: from a name, a file, a dictionary, steps
    ranking    rank: what ``ensemble.run`` does; Ranking: its answer
    figures    the figures of the report, each by its name
    shown      the first images of some queries, with pictures in a notebook
    scoring    score: distances or lists that somebody else has made
    fusing     fuse: what ``ensemble.run --rankings`` does

The other functions stand beside their commands, whose modules can be called (:mod:`ensemble.base.calling`).
"""
