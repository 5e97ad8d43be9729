# %% [markdown]
# # What is still in old lists
#
# Nobody has the features of last year's models any more, only the lists that were handed in. At the end of this
# page you have
#
# - one list made of all of them, better than each,
# - the steps on the way, each with what it gains,
# - a look at nine real submissions to AI City 2021.
#
# A real competition keeps its answers to itself: nobody can score the nine real lists at home. So this page has
# two halves. The first has a drawn city with answers, and every step gets its number. The second has the real
# lists, and shows what can be seen without answers.

# %% tags=["parameters"]
from pathlib import Path

data = Path("data")  # a folder with aicity2021_track2.npz

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import ensemble
from ensemble import fusion
from ensemble.city import city
from postproc import (
    distances,
    l2_normalize,
    mask_same_camera,
    one_track_per_camera,
    rank,
    rewrite_tracks,
    track_votes,
)

# %% [markdown]
# ## A city with six old lists
#
# As in the real one, the queries of a vehicle come from one camera: up to four images of one of its tracks. Each
# list is a model with errors of its own; the first is good, the others are weak, and the last is a near copy of
# the one before it.

# %%
made, random = city(), np.random.default_rng(0)
gallery = made.gallery
tracks = gallery.groupby("track").first().reset_index()
asking = tracks[tracks.duplicated("pid", keep=False)].groupby("pid")["track"].first()
asks = gallery["track"].isin(asking).to_numpy()
place = gallery.groupby("track").cumcount().to_numpy()
query_rows, gallery_rows = np.flatnonzero(asks & (place < 4)), np.flatnonzero(~asks)
query_cam, query_pid = (gallery[column].to_numpy()[query_rows] for column in ("cam", "pid"))
cam, track, pid = (gallery[column].to_numpy()[gallery_rows] for column in ("cam", "track", "pid"))


def old_list(features, error):
    """The hundred nearest of a model that errs."""
    sides = []
    for rows in (query_rows, gallery_rows):
        noise = random.normal(size=(len(rows), features.shape[1])) / np.sqrt(features.shape[1])
        sides.append(l2_normalize((l2_normalize(features[rows]) + error * noise).astype(np.float32)))
    return fusion.of_ranking(rank(distances(*sides), top_k=100), len(gallery_rows))


networks = [images for _, images in made.features.values()]
lists = [old_list(networks[number % 4], error) for number, error in enumerate((0.3, 1.0, 1.2, 1.4, 1.6))]
lists.append(old_list(networks[0], 1.6))
print(f"{len(query_rows)} queries, {len(gallery_rows)} images, {len(lists)} lists")


# %% [markdown]
# `of_ranking` makes distances of a list: the place of an image, and NaN for images that it does not name. The
# scores are those of the competition: the first hundred.


# %%
def mAP(far):
    """mAP of a matrix of distances, %."""
    far = np.where(np.isnan(far), np.inf, far)  # what a list does not name was not found
    return 100 * ensemble.score(rank(far, top_k=100), query_pid, pid, protocol="aicity").mAP


[round(mAP(one), 1) for one in lists]

# %% [markdown]
# ## Step by step
#
# 1. **Reciprocal ranks**: an image gets 1 / (60 + place) from every list.
# 2. **Cameras and tracks**: no image of the query's own camera, one track a camera, whole tracks.
# 3. **Votes**: lists vote for tracks, not for images.
# 4. **Weights**: lists that agree by chance alone count little, near copies share one vote. No label is looked
#    at.
# 5. **Queries pool** with queries of their camera that have alike votes; **tracks lend** to alike tracks.
# 6. **Competition**: a track shows one vehicle, and a vehicle has one track a camera.
# 7. **Trust**: lists that say what came out count more for that query. This is `lists_best`.

# %%
columns = {"query_cam": query_cam, "gallery_cam": cam, "gallery_track": track}


def with_structure(parts):
    """Reciprocal ranks, then cameras and tracks, as the recipe `lists_structure`."""
    far = mask_same_camera(fusion.reciprocal_rank_fusion(parts), query_cam, cam)
    return rewrite_tracks(one_track_per_camera(far, cam, track), track)


def competing(parts, **settings):
    """Whole tracks by what is left of their votes."""
    return rewrite_tracks(fusion.compete_lists(parts, **columns, **settings), track)


votes = {"weights": None, "pool": "none", "lend": 0, "rounds": 0, "trust": False}
steps = {
    "best list": lambda parts: min(parts, key=lambda one: -mAP(one)),
    "reciprocal ranks": fusion.reciprocal_rank_fusion,
    "cameras, tracks": with_structure,
    "votes": lambda parts: competing(parts, **votes),
    "weights": lambda parts: competing(parts, **{**votes, "weights": "agreement"}),
    "pool and lend": lambda parts: competing(parts, rounds=0, trust=False, weights="agreement"),
    "competition": lambda parts: competing(parts, trust=False, weights="agreement"),
    "trust": lambda parts: competing(parts, weights="agreement"),
}
found = {name: mAP(step(lists)) for name, step in steps.items()}
for name, value in found.items():
    print(f"{name:18} mAP {value:5.1f}")

# %%
figure, axis = plt.subplots(figsize=(6.5, 3))
bars = axis.barh(list(found), list(found.values()))
axis.bar_label(bars, fmt="%.1f", padding=3)
axis.set(xlabel="mAP of the first hundred, %", xlim=(0, 100))
axis.invert_yaxis()
plt.close(figure)
figure

# %% [markdown]
# One drawn city: read the order of the steps, not the digits. [Old lists](../lists.md) has larger cities, and the
# kinds of city in which the competition gains little or loses.
#
# ## Nine real lists
#
# 1,103 queries, 31,238 images, 991 tracks, nine submissions of two teams. Without the file this part is left out.

# %%
path = data / "aicity2021_track2.npz"
real = dict(np.load(path)) if path.is_file() else {}
if real:
    Path("LISTS").mkdir()
    for number, one in enumerate(real["submissions"], 1):
        np.savetxt(f"LISTS/team{number}.txt", one, fmt="%d")
    for side in ("query", "gallery"):
        table = pd.DataFrame({"cam": real[f"{side}_cam"]})
        table.insert(0, "name", [f"{row:06}.jpg" for row in range(1, len(table) + 1)])
        if side == "gallery":
            table["track"] = real["gallery_track"]
        table.to_csv(f"LISTS/{side}.csv", index=False)
sorted(path.name for path in Path("LISTS").glob("*"))

# %% [markdown]
# **Which lists are worth listening to?** The weights come from agreement alone. Some of the nine say nearly the
# same, and share a vote.

# %%
weights = []
if real:
    columns = [real[name].astype(np.int64) for name in ("gallery_track", "query_cam", "gallery_cam")]
    weights = fusion.list_weights([track_votes(one.astype(np.int64) - 1, *columns) for one in real["submissions"]])
[round(float(weight), 2) for weight in weights]

# %% [markdown]
# **Does the answer hold together?** A vehicle passes a camera once, as a rule. So two of a query's first three
# tracks should not be of one camera. That needs no answers: it can be looked at before one hands in.


# %%
def twice(rows):
    """The share of queries with two of the first three tracks in one camera, %."""
    track, cam = real["gallery_track"], real["gallery_cam"]
    count = 0
    for listed in rows:
        listed = listed[listed >= 0]
        first = np.sort(np.unique(track[listed], return_index=True)[1])[:3]
        count += len(np.unique(cam[listed[first]])) < len(first)
    return 100 * count / len(rows)


for recipe in ("lists", "lists_structure", "lists_best") if real else ():
    answer = ensemble.fuse("LISTS", recipe)
    print(f"{recipe:16} two of the first three tracks in one camera: {twice(answer.rows):4.1f} % of the queries")

# %% [markdown]
# Fewer is not better by itself. `lists_structure` forbids a second track of a camera among the nearest;
# `lists_best` only makes it dear, and had the better score on the city above. The number says that an answer
# makes sense, not that it is right.
#
# ## From the command line
#
# Put the lists, with `query.csv` and `gallery.csv` or the competition's own lists of names and tracks, into a
# folder:
#
# ```text
# reid-ensemble run --rankings LISTS                              # reciprocal ranks
# reid-ensemble run --rankings LISTS --recipe lists_structure     # cameras and tracks
# reid-ensemble run --rankings LISTS --recipe lists_best          # everything above
# reid-ensemble validate runs/lists_best/track2.txt --query-names name_query.txt --gallery-names name_test.txt
# ```
#
# The answer depends on the other queries. A competition that forbids this wants `lists_structure`.
