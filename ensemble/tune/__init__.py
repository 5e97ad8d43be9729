"""Settings, weights and models chosen on labelled data, and what the choice is worth on other identities.

task       what is tuned: the space over a recipe, the folds, how a candidate is scored
space      what may vary, and how a candidate becomes a recipe
trials     one candidate on all folds, with everything kept that the next one can use
study      the order of trials: the recipe, greedy selection of models, optuna; SQLite
honest     scores of trials on folds -> the score to expect, the trial to take
outcome    what was found, in files and in words
unlabelled k1 and k2 from how many images an identity is thought to have
pipelines  a search over whole pipelines, with its own worlds, study and verdict
options    what the command can be asked for
function   ``ensemble.tune`` in Python, and what command and function share
"""

from ensemble.base import calling

calling.does(__name__, f"{__name__}.function:tune")
