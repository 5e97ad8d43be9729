# %% [markdown]
# # Pseudo-labels in training
#
# You have images without identities, and a model that was trained elsewhere. At the end of this page you have
#
# - a training loop that clusters its own features in every epoch and learns from the clusters,
# - the score of every epoch, and how good the clusters were,
# - the places where such a loop goes wrong.
#
# To keep the page short, the "model" is one linear layer on the features of drawn people. Put your network and
# your images in their place; the loop stays.

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.metrics import adjusted_mutual_info_score

import ensemble
from ensemble.city import city

made = city(kind="people")
model = next(iter(made.features))
query, gallery = made.features[model]
images = torch.from_numpy(np.ascontiguousarray(made.train_features[model]))
labels = {
    f"{side}_{column}": getattr(made, side)[column].to_numpy()
    for side in ("query", "gallery")
    for column in ("pid", "cam")
}
truth = made.train["pid"].to_numpy()  # looked at to judge the clusters, never to train
print(f"{len(images)} images without labels, {len(query)} queries, {len(gallery)} gallery images")

# %% [markdown]
# ## Clusters of an epoch
#
# Jaccard distances of k-reciprocal neighbours, then DBSCAN, as SpCL and Cluster-Contrast do it. −1 is an image
# that belongs to nobody. It sits the epoch out. [One set](../one-set.md) has the same for sets whose matrix does
# not fit into memory.

# %%
JACCARD = [("rerank", {"k1": 20, "k2": 6, "lambda_value": 0.0, "count_self": True, "normalize": False})]


def clusters(features):
    """(n, d) unit features -> (n,) clusters, -1: nobody's."""
    return ensemble.cluster(features, JACCARD, method="dbscan", threshold=0.5, min_samples=4).clusters


# %% [markdown]
# ## The loop
#
# Each cluster has a centre. An image should be nearer to its own centre than to others: cross-entropy over
# cosines, divided by a temperature. The centres are made anew in every epoch, because the clusters are others
# then.


# %%
def begin(rate):
    """The layer, which changes nothing yet, and its optimizer."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(images.shape[1], images.shape[1], bias=False)
    torch.nn.init.eye_(layer.weight)
    return layer, torch.optim.Adam(layer.parameters(), lr=rate)


def embedded(rows):
    """Unit features of the model as it is now."""
    return torch.nn.functional.normalize(layer(torch.as_tensor(rows)), dim=1)


def mAP():
    """Score on query and gallery, whose people are others, %."""
    with torch.no_grad():
        sides = tuple(embedded(side).numpy() for side in (query, gallery))
    return 100 * ensemble.rank(sides, "baseline", **labels).scores.mAP


def epoch():
    """Cluster, then learn from the clusters; the clusters."""
    with torch.no_grad():
        features = embedded(images)
    found = clusters(features.numpy())
    kept = np.flatnonzero(found >= 0)
    target = torch.from_numpy(found)
    centres = torch.stack([features[target == one].mean(dim=0) for one in range(found.max() + 1)])
    centres = torch.nn.functional.normalize(centres, dim=1)
    for batch in torch.from_numpy(kept)[torch.randperm(len(kept))].split(64):
        loss = torch.nn.functional.cross_entropy(embedded(images[batch]) @ centres.T / 0.05, target[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return found


def trained(rate, epochs=10):
    """mAP before and after every epoch, and the AMI of the clusters, %."""
    global layer, optimizer
    layer, optimizer = begin(rate)
    scores, amis = [mAP()], [np.nan]
    for number in range(1, epochs + 1):
        found = epoch()
        kept = found >= 0
        scores.append(mAP())
        amis.append(100 * adjusted_mutual_info_score(truth[kept], found[kept]))
        about = f"{found.max() + 1} clusters of {100 * kept.mean():.0f} % of the images, AMI {amis[-1]:.1f}"
        print(f"epoch {number}: {about}, mAP {scores[-1]:.1f}")
    return scores, amis


print(f"before: mAP {100 * ensemble.rank((query, gallery), 'baseline', **labels).scores.mAP:.1f}")
slow = trained(rate=3e-4)

# %% [markdown]
# The same with a learning rate that is ten times larger:

# %%
fast = trained(rate=3e-3)

# %%
figure, axis = plt.subplots(figsize=(6, 3.2))
for (scores, amis), name, colour in ((slow, "rate 0.0003", "tab:blue"), (fast, "rate 0.003", "tab:red")):
    axis.plot(scores, marker="o", color=colour, label=f"mAP on other people, {name}")
    axis.plot(amis, marker=".", linestyle="--", color=colour, label=f"AMI of the clusters, {name}")
axis.set(xlabel="epoch", ylabel="%")
axis.legend(fontsize=7)
plt.close(figure)
figure

# %% [markdown]
# A few points are gained, and after five epochs they melt away. With the larger rate it is worse from the second
# epoch on: the clusters stay about as good as they were, yet the model forgets what it knew about other people.
# Nothing tells but a score on people whose labels are known. Keep some, and stop when they say so.

# %% [markdown]
# ## Where it goes wrong
#
# - **The threshold.** Too small, and few images are in clusters; too large, and people become one. Watch both
#   curves in the first epoch: the share of images in clusters, and the number of clusters beside the people that
#   you expect.
# - **Few images of everybody.** DBSCAN with four images to a cluster hardly finds people of two or three. Take
#   `method="average"` there ([methods](../identities.md#methods)).
# - **Cameras.** Features that tell the camera give clusters of cameras. `ca_jaccard` counts neighbours of the own
#   camera and of others apart; it takes the place of `rerank` above, with `gallery_cam=…`.
# - **Too much of it.** Clusters are wrong here and there, and a model that learns them by heart is wrong there
#   too.
# - **The judge.** AMI needs labels. Without any, keep some labelled identities apart and score on these, as
#   `mAP()` does here.
#
# ## Without a loop
#
# ```text
# reid-ensemble pseudo_labels --features DIR --out DIR2 --method jaccard --eps 0.5
# reid-ensemble run --features DIR2 --recipe best
# ```
#
# writes the folder again with a training set whose identities are clusters, and a recipe that learns takes it
# from there.
