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
torch.manual_seed(0)
layer = torch.nn.Linear(images.shape[1], images.shape[1], bias=False)
torch.nn.init.eye_(layer.weight)
optimizer = torch.optim.Adam(layer.parameters(), lr=3e-3)


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


history = [(mAP(), np.nan, np.nan)]
print(f"before: mAP {history[0][0]:.1f}")
for number in range(1, 9):
    found = epoch()
    ami = adjusted_mutual_info_score(truth[found >= 0], found[found >= 0])
    history.append((mAP(), 100 * ami, 100 * (found >= 0).mean()))
    share, score = history[-1][2], history[-1][0]
    about = f"{found.max() + 1} clusters of {share:.0f} % of the images, AMI {100 * ami:.1f}"
    print(f"epoch {number}: {about}, mAP {score:.1f}")

# %%
figure, axis = plt.subplots(figsize=(6, 3.2))
for values, name in zip(
    zip(*history, strict=True), ("mAP on other people", "AMI of the clusters", "images in clusters"), strict=True
):
    axis.plot(values, marker="o", label=name)
axis.set(xlabel="epoch", ylabel="%")
axis.legend(fontsize=8)
plt.close(figure)
figure

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
