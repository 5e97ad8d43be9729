"""Feature files of several models in, the best ranking, a submission file and scores out.

A folder of files is looked at (``io``), a recipe is checked against it (``pipeline.plan``), the models go through
its steps and joins (``pipeline.run``), and what comes out is written, scored and shown. Every folder imports only
from those above it. The last are the commands, which ``reid-ensemble`` lists and calls::

    base         errors, the FeatureSet, the DistanceSet
    parsers      what the names of images say, data set by data set
    io           feature files, lists, tables: the only place that knows their formats
    submissions  rank lists as files: written, read back, looked through
    boxes        boxes of cameras: tracks read, track1.txt written and looked through, scores of tracking
    scores       protocols, counting, intervals, open set, folds
    fusion       joins of features, across models, of distances
    pipeline     recipe, plan, steps and joins by name, the run, its results
    identities   who is it: identities of a recipe's distances, thresholds for the unknown
    city         synthetic cities with known answers
    clusters     who belongs together: clusters of a recipe's distances, thresholds, links
    cli          what the command lines have in common
    names  report  tune  neighbours  doctor                      commands with a library of their own
    pseudo_labels                                                another, which finds pictures as the report does
    identify                                                     the same, with a page of the report
    track                                                        one more: tracks of cameras become identities
    recipes                                                      those of runs and of track, and which fit a folder
    ablate  agreement  build_gallery  cluster  compare  completion  components
    convert  demo  evaluate  inspect  protocols  run  thresholds  validate
    __main__     the list of commands
"""

__version__ = "0.1.0"
