"""Settings, weights and models chosen on labelled data, and what the choice is worth on other identities.

folds      identities in parts, queries drawn from a training set
space      what may vary, and how a candidate becomes a recipe
honest     scores of trials on folds -> the score to expect, the trial to take
trials     one candidate on all folds, with everything kept that the next one can use
study      the order of trials: the recipe, greedy selection of models, optuna; SQLite
advice     whether re-ranking has neighbours to work with
unlabelled k1 and k2 from how many images an identity is thought to have
"""
