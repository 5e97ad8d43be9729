# %% [markdown]
# # Three models of a laboratory
#
# Three models were trained over the years, and a paper is due. At the end of this page you know
#
# - what each model scores, and whether the three see the same,
# - whether joining them is worth it,
# - whether re-ranking helps on this set, with a test.
#
# The pictures below are of CUHK01: 971 people, seen by two cameras, twice by each. The features are those of
# three real networks. Without that file the page runs on drawn people, with other numbers.

# %% tags=["parameters"]
from pathlib import Path

data = Path("data")  # a folder with cuhk01_feats.npz

# %%
import matplotlib.pyplot as plt
import numpy as np

import ensemble
from ensemble.city import city

MODELS = ("osnet_x0_25", "omz0288", "omz0277")


def cuhk01(path):
    """Camera 0 asks, camera 1 answers: models as pairs of arrays, and labels."""
    found = np.load(path)
    sides = {"query": found["cam"] == 0, "gallery": found["cam"] == 1}
    models = {name: tuple(found[name][rows].astype(np.float32) for rows in sides.values()) for name in MODELS}
    labels = {
        f"{side}_{column}": found[key][rows]
        for side, rows in sides.items()
        for column, key in (("pid", "id"), ("cam", "cam"))
    }
    return models, labels


def drawn():
    """The same of people who were made up."""
    made = city(kind="people")
    models = dict(list(made.features.items())[:3])
    labels = {
        f"{side}_{column}": getattr(made, side)[column].to_numpy()
        for side in ("query", "gallery")
        for column in ("pid", "cam")
    }
    return models, labels


path = data / "cuhk01_feats.npz"
models, labels = cuhk01(path) if path.is_file() else drawn()
print("CUHK01" if path.is_file() else "drawn people", "with", *models)
{name: (len(query), len(gallery), query.shape[1]) for name, (query, gallery) in models.items()}

# %% [markdown]
# ## Each model alone
#
# `baseline` is the cosine distance. Of one model it is that model's own score. Scores are by the rules of
# Market-1501: images of the query's own camera are left out.

# %%
alone = {name: ensemble.rank({name: sides}, "baseline", **labels) for name, sides in models.items()}
for name, run in alone.items():
    print(f"{name:14} mAP {100 * run.scores.mAP:5.1f}   rank-1 {100 * run.scores.rank1:5.1f}")

# %% [markdown]
# ## Do they see the same?
#
# Models that make different mistakes are worth joining. The figure says which share of the nearest images two
# models have in common: 1 would be copies of one model.

# %%
together = ensemble.rank(models, "baseline", **labels)
together.plot.agreement()

# %% [markdown]
# ## Ways to join
#
# Features side by side (`concat`), distances added (`weighted_sum`), places in the ranking
# (`reciprocal_rank_fusion`). Weights can come from who agrees with whom, without labels, or from you.

# %%
unit = {"use": "l2_normalize"}
cosine = {"use": "distances", "metric": "cosine"}
ways = {
    "side by side": {"branch": [{"each": [unit], "join": {"use": "concat"}, "steps": [cosine]}]},
    "distances added": {"branch": [{"each": [unit, cosine], "join": {"use": "weighted_sum"}}]},
    "added, by agreement": {
        "branch": [{"each": [unit, cosine], "join": {"use": "weighted_sum", "weights": "agreement"}}]
    },
    "added, 1 1 3": {"branch": [{"each": [unit, cosine], "join": {"use": "weighted_sum", "weights": [1, 1, 3]}}]},
    "by places": {"branch": [{"each": [unit, cosine], "join": {"use": "reciprocal_rank_fusion"}}]},
}
joined = {
    name: ensemble.rank(models, ensemble.Recipe(recipe, name=name), **labels) for name, recipe in ways.items()
}
best_alone = max(alone.values(), key=lambda run: run.scores.mAP)


def against_the_first(*runs):
    """A line a run: mAP, the difference to the first, its interval, p."""
    return (
        ensemble.compare(*runs, resamples=1000)
        .to_frame()[["run", "mAP", "difference", "low", "high", "p_corrected"]]
        .round(3)
    )


against_the_first(best_alone, *joined.values())

# %% [markdown]
# The first line is the best model alone. With equal votes two weak models pull a strong one down: the difference
# is below 0. With a weight of three for the strong one it is a draw. So here a join of distances gains nothing.
# It does where models are about equally good and see different things: look at your own table. (Choose weights on
# training people, never on those that you report: `reid-ensemble tune` does that.)
#
# ## Does re-ranking help?
#
# `kreciprocal` has the published settings 20 / 6 / 0.3, made for sets with many images of everybody. Here
# everybody has two. Look before you believe it.

# %%
recipes = ("baseline", "kreciprocal", "default", "best_pairs")
runs = {name: ensemble.rank(models, name, **labels) for name in recipes}
against_the_first(*runs.values())

# %% [markdown]
# And of the best model alone?

# %%
strongest = max(alone, key=lambda name: alone[name].scores.mAP)
single = {name: ensemble.rank({strongest: models[strongest]}, name, **labels) for name in recipes}
against_the_first(*single.values())

# %%
figure, axis = plt.subplots(figsize=(6.5, 3.8))
values = {**alone, **joined, **{name: runs[name] for name in recipes[1:]}}
values |= {f"{name}, {strongest} alone": single[name] for name in recipes[1:]}
bars = axis.barh(list(values), [100 * run.scores.mAP for run in values.values()])
axis.bar_label(bars, fmt="%.1f", padding=3)
axis.set(xlabel="mAP, %", xlim=(0, 109))
axis.invert_yaxis()
plt.close(figure)
figure

# %% [markdown]
# On CUHK01 the published re-ranking loses, and `default` and `best_pairs` gain much more than any join. The best
# number is that of one model: two weak ones add nothing to it. That is an answer too, and it saves two models in
# service.
#
# `best_pairs` takes it that every gallery image is somebody's match, and that each is asked for once. That is so
# in VIPeR and CUHK01. In a set with strangers it is not, and then `default` is the careful choice.
#
# ## For the paper
#
# Published numbers of CUHK01 are means over ten splits into people to train and people to test. With a folder of
# feature files, `reid-ensemble evaluate --features DIR --splits 10` gives such means with their deviation, and
# says which rules they are by.

# %%
print(runs["default"].scores.describe())

# %% [markdown]
# Next: protocols and splits ([scores](../scores.md)), what every step needs and gains ([steps](../steps.md)).
