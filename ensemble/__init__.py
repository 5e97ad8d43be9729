"""Feature files of several models in, the best ranking, a submission file and scores out.

>>> import ensemble
>>> ensemble.rank.__name__
'rank'

What a command does, a function of Python does as well, on a folder or on arrays in memory (docs/python.md):
``rank``, ``score``, ``Recipe``, ``fuse``, ``tune``, ``compare``, ``thresholds``, ``identify``, ``cluster`` and
``track``. They are imported when somebody asks for them; ``import ensemble`` alone loads nothing.

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
    names  report                                                commands with a library of their own
    interface    what Python has: commands as functions, their answers as values
    tune  neighbours  doctor                                     three more commands with a library
    pseudo_labels                                                another, which finds pictures as the report does
    identify                                                     the same, with a page of the report
    track                                                        one more: tracks of cameras become identities
    recipes                                                      those of runs and of track, and which fit a folder
    ablate  agreement  build_gallery  cluster  compare  completion  components
    convert  demo  evaluate  inspect  protocols  run  thresholds  validate
    __main__     the list of commands
"""

__version__ = "0.2.0"

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for who reads types; what Python does stands below
    from ensemble.base.errors import InputError as InputError
    from ensemble.cluster.function import Clustering as Clustering
    from ensemble.cluster.function import cluster as cluster
    from ensemble.compare import Comparison as Comparison
    from ensemble.compare import compare as compare
    from ensemble.identify.function import Identified as Identified
    from ensemble.identify.function import identify as identify
    from ensemble.interface.fusing import fuse as fuse
    from ensemble.interface.ranking import Ranking as Ranking
    from ensemble.interface.ranking import rank as rank
    from ensemble.interface.recipes import Recipe as Recipe
    from ensemble.interface.scoring import score as score
    from ensemble.scores.protocol import Protocol as Protocol
    from ensemble.scores.values import Scores as Scores
    from ensemble.thresholds import Thresholds as Thresholds
    from ensemble.thresholds import thresholds as thresholds
    from ensemble.track.function import Tracked as Tracked
    from ensemble.track.function import track as track
    from ensemble.tune.function import Tuned as Tuned
    from ensemble.tune.function import tune as tune

_WHERE = {
    "Clustering": "ensemble.cluster.function",
    "Comparison": "ensemble.compare",
    "Identified": "ensemble.identify.function",
    "InputError": "ensemble.base.errors",
    "Protocol": "ensemble.scores.protocol",
    "Ranking": "ensemble.interface.ranking",
    "Recipe": "ensemble.interface.recipes",
    "Scores": "ensemble.scores.values",
    "Thresholds": "ensemble.thresholds",
    "Tracked": "ensemble.track.function",
    "Tuned": "ensemble.tune.function",
    "fuse": "ensemble.interface.fusing",
    "rank": "ensemble.interface.ranking",
    "score": "ensemble.interface.scoring",
}
_COMMANDS = ("cluster", "compare", "identify", "thresholds", "track", "tune")  # modules that can be called
__all__ = sorted((*_WHERE, *_COMMANDS))

if not TYPE_CHECKING:

    def __getattr__(name):
        if name in _COMMANDS:
            return _import_module(f"ensemble.{name}")
        if name not in _WHERE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return globals().setdefault(name, getattr(_import_module(_WHERE[name]), name))

    def __dir__():
        return sorted((*globals(), *__all__))
