"""A search over whole pipelines: which steps, not only with which numbers.

families   the table: what may stand where, one row a family of steps
candidate  a pipeline as a value, and the recipe that it stands for
worlds     who asks, who is found, who is learned from, who is held back
budget     minutes and tries, and what is too long to be begun
space      the rows of the table that a folder allows
bench      what a candidate is worth to every query, and its seconds
crowded    average precision as in a larger gallery
study      what was tried, in a SQLite file
search     which candidate next
verdict    the searched recipe against known ones, on queries held back
unlabelled clusters in the place of identities, a heuristic
outcome    files and words
command    all of it, for the command line
"""
