# %% [markdown]
# # A wildlife database
#
# You have photographs of animals, some of them with a name. At the end of this page you have
#
# - a name for every new photograph, or the word "new" where nobody in the database fits,
# - the threshold between the two, found without a labelled query,
# - the photographs grouped into animals, and the pairs that a person should look at.
#
# The pictures below are of 740 photographs of 94 lions. The features are weak on purpose: two networks that
# nobody trained on lions, and two descriptors of shape and colour. Such is a database before somebody trains on
# it. Without that file the page runs on a drawn herd, with other numbers.

# %% tags=["parameters"]
from pathlib import Path

data = Path("data")  # a folder with lion_feats.npz

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import ensemble
from postproc.testing.worlds import herd

path = data / "lion_feats.npz"
if path.is_file():
    found = np.load(path)
    names = ("efficientnet_lite0", "osnet_x0_25_msmt17", "hog16", "colour8")
    models = {name: found[name].astype(np.float32) for name in names}
    who, what = found["id"], "lions"
else:
    drawn = herd(people=60, strangers=0, most=120, noise=0.8)
    images, who = drawn["gallery"], np.char.add("animal_", drawn["gallery_pid"].astype(str))
    models = {"first": images[:, :16], "second": np.ascontiguousarray(images[:, 16:])}
    what = "a drawn herd"
counts = pd.Series(who).value_counts()
print(f"{what}: {len(who)} photographs of {len(counts)} animals, {counts.min()} to {counts.max()} of each")

# %% [markdown]
# ## How good are the features?
#
# One set, without queries: each photograph is asked about all others.


# %%
def one_set(chosen):
    """Models of one set, as `ensemble` takes them."""
    return {name: {"gallery": models[name]} for name in chosen}


runs = {name: ensemble.rank(one_set([name]), "baseline", gallery_pid=who) for name in models}
runs["all, side by side"] = ensemble.rank(one_set(models), "baseline", gallery_pid=who)
for name, run in runs.items():
    print(f"{name:20} mAP {100 * run.scores.mAP:5.1f}   the first is right {100 * run.scores.rank1:5.1f} %")

# %% [markdown]
# Weak features: the first photograph is right now and then only. A model that was trained on the species changes
# that more than everything below. What follows is the same work, whatever the features.
#
# ## Who is it?
#
# Some photographs are new: they ask. A fifth of the animals is kept out of the database as a whole, so that "new"
# is the right answer for them.

# %%
random = np.random.default_rng(0)
animals = random.permutation(counts.index.to_numpy())
strangers = animals[: len(animals) // 5]
place = pd.Series(random.random(len(who))).groupby(who).rank().to_numpy()
asks = np.isin(who, strangers) | (place <= 1)  # one photograph of each animal that is known, all of a stranger
queries = {name: {"query": x[asks], "gallery": x[~asks]} for name, x in models.items()}
labels = {"query_pid": who[asks], "gallery_pid": who[~asks]}
told = ensemble.identify(queries, "baseline", resamples=500, **labels)
told

# %% [markdown]
# The threshold was found on the database alone: each of its photographs was asked about the others, once with its
# animal among them and once without. It suits queries that are like the database.
#
# The table is what one hands in: the animals of a query, nearest first, with `new_individual` where nobody nearer
# fits.

# %%
told.to_frame().head(10)

# %% [markdown]
# A stricter threshold calls more photographs new. The figure shows what that costs: the animals that are known
# and told rightly, against the strangers that are found out.

# %%
shares = np.linspace(0.1, 0.9, 9)
points = []
for share in shares:
    scores = ensemble.identify(
        queries, "baseline", unknown=f"share={share:.2f}", resamples=100, **labels
    ).scores.values
    points.append((100 * scores["baks"], 100 * scores["baus"]))
figure, axis = plt.subplots(figsize=(5, 3.4))
axis.plot(*zip(*points, strict=True), marker="o", label="share of the queries called new, 10 to 90 %")
chosen = told.scores.values
axis.plot(100 * chosen["baks"], 100 * chosen["baus"], "*", markersize=14, label="the threshold found above")
axis.set(xlabel="known animals told rightly, %", ylabel="strangers called new, %")
axis.legend(fontsize=8)
plt.close(figure)
figure

# %% [markdown]
# ## Who belongs together?
#
# Now without names: which photographs show one animal? `fit="ami"` takes the labels to find the distance up to
# which two groups are one, and says what that distance is worth on animals that the fit has not seen.

# %%
grouped = ensemble.cluster(one_set(models), "baseline", method="average", fit="ami", gallery_pid=who)
grouped

# %% [markdown]
# Scores of clusters: 0 is chance, 1 is perfect (AMI). With these features it is near chance; with trained ones it
# is not ([measured](../identities.md#measured)).
#
# ## What a person should look at
#
# The nearest pairs of two groups are where one answer of a person is worth most. `reid-ensemble cluster --report
# --images PICTURES` shows them with *Yes, one* and *No, two*; `--links links.csv` takes the answers. Here are the
# pairs as a table:

# %%
run, cluster = runs["all, side by side"], grouped.clusters
nearest = run.rows[:, 0]
apart = np.flatnonzero((cluster != cluster[nearest]) | (cluster < 0))
asked = apart[run.distances[apart, 0].argsort()[:8]]
pd.DataFrame(
    {
        "photograph": asked,
        "its nearest": nearest[asked],
        "distance": run.distances[asked, 0].round(3),
        "one animal": who[asked] == who[nearest[asked]],
    }
)

# %% [markdown]
# ## The same from the command line
#
# ```text
# reid-ensemble identify --features DIR --format animalclef
# reid-ensemble cluster --features DIR --fit ami --report --images PICTURES
# reid-ensemble cluster --features DIR --threshold 0.4 --links links.csv
# ```
#
# Next: rules and thresholds ([who is it](../identify.md)), methods ([who belongs together](../identities.md)).
