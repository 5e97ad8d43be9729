# %% [markdown]
# # A technique of your own
#
# You have read a paper, or had a thought in the shower. At the end of this page you have
#
# - the technique as one function, which recipes can name,
# - a check that it keeps the laws that all steps keep,
# - its gain on a set, with a test that can say no.
#
# The thought here: some gallery images are near everybody, so that they are in too many answers. Count in how
# many answers an image is, and push it away by that.

# %% [markdown]
# ## One file, one function
#
# Positional parameters are data, with names that the package knows (`distances`, `query_cam`, …). Keyword-only
# parameters are settings, and their types say their range. `checks` makes float32 of what comes in and refuses
# what is no distance, in one clear sentence. `unit=KEPT` says that distances stay in the unit in which they come,
# +inf (never return) among them. `memory` says what the function holds beside its input and its answer; runs use
# that to refuse what cannot fit.

# %%
from pathlib import Path

FILE = '''
from typing import Annotated

import numpy as np

from postproc.base import checks
from postproc.base.settings import Neighbours, Neutral, Weight, Within
from postproc.base.step import KEPT, step
from postproc.base.vocabulary import Distances
from postproc.pairs import held


@step(unit=KEPT, memory=held.times(2, held.matrix), host_only=True)
def damp_hubs(
    distances: Distances, *, k: Neighbours = 10, strength: Annotated[Weight, Within(0, 1000), Neutral(0.0)] = 0.2
) -> Distances:
    """Push an image away by how many queries have it among their ``k`` nearest.

    k:        1 or more. How many images of a query count as its answer.
    strength: 0 (nothing changes) to 1,000: how far an image is pushed that is in every answer.
    """
    far = checks.distances("distances", distances)
    if not far.size:
        return far.copy()
    place = min(k, far.shape[1]) - 1
    farthest = np.partition(far, place, axis=1)[:, place]
    share = (far <= farthest[:, None]).mean(axis=0, dtype=np.float32)
    return far + np.float32(strength) * share
'''
_ = Path("my_steps.py").write_text(FILE)

# %% [markdown]
# ## Does it keep the laws?
#
# `check_step` tries the function on a small world: inputs stay as they are, the order of images does not matter,
# the same call gives the same bits, bad settings are refused, every setting does something, and so on. Silence
# means that all laws hold.

# %%
from my_steps import damp_hubs

from postproc.testing import check_step

check_step(damp_hubs)

# %% [markdown]
# A bad setting is refused by name, range and value, without a line of yours:

# %%
import numpy as np

try:
    damp_hubs(np.zeros((2, 3), np.float32), strength=-1)
except ValueError as error:
    print(error)

# %% [markdown]
# ## Does it gain anything?
#
# `station` is a drawn city whose features are fitted to real ones, hubs among them. Steps of your own stand in a
# list beside those of the package.

# %%
from functools import partial

import matplotlib.pyplot as plt

import ensemble
from ensemble.city import city
from postproc import distances, l2_normalize

made = city(kind="station")
model, (query, gallery) = next(iter(made.features.items()))
labels = {
    f"{side}_{column}": getattr(made, side)[column].to_numpy()
    for side in ("query", "gallery")
    for column in ("pid", "cam")
}


def scored(*steps, name):
    """A run of steps, under a name."""
    return ensemble.rank((query, gallery), ensemble.Recipe(list(steps), name=name), **labels)


far = [l2_normalize, partial(distances, metric="cosine")]
plain = scored(*far, name="cosine")
damped = scored(*far, damp_hubs, name="damp_hubs")


def against_the_first(*runs):
    """A line a run: mAP, the difference to the first, its interval, p."""
    return (
        ensemble.compare(*runs, resamples=1000)
        .to_frame()[["run", "mAP", "difference", "low", "high", "p_corrected"]]
        .round(3)
    )


against_the_first(plain, damped)

# %% [markdown]
# It gains nothing: the interval of the difference holds 0. That is the usual end of a thought in the shower, and
# it took ten minutes to know. Is it the strength?

# %%
strengths = [0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0]
values = [100 * scored(*far, partial(damp_hubs, strength=one), name=str(one)).scores.mAP for one in strengths]
figure, axis = plt.subplots(figsize=(5, 3))
axis.plot([str(one) for one in strengths], values, marker="o")
axis.set(xlabel="strength", ylabel="mAP, %", ylim=(values[0] - 3, values[0] + 3))
axis.axhline(values[0], color="grey", linewidth=1)
plt.close(figure)
figure

# %% [markdown]
# It is not. Where a curve does have a top, do not print its value: it was chosen on the test set. `reid-ensemble
# tune` chooses on other identities, and your step is in its search space, because its types say its range.
#
# What do the steps of the package gain on the same images? `csls` has the same aim, and gains nothing here
# either; neighbourhoods do.

# %%
others = [scored(l2_normalize, name, name=name) for name in ("csls", "rerank", "rerank_multiscale")]
against_the_first(plain, damped, *others)

# %% [markdown]
# ## In a recipe, on the command line, in a package
#
# ```toml
# # mine.toml
# [[branch]]
# each  = [{ use = "l2_normalize" }]
# join  = { use = "concat" }
# steps = [{ use = "distances", metric = "cosine" }, { use = "damp_hubs", strength = 0.5 }]
# ```
#
# ```text
# reid-ensemble run --features DIR --recipe mine.toml --steps my_steps
# reid-ensemble run --list-steps --steps my_steps
# ```
#
# A recipe names steps and never loads code, because it may come from a stranger: `--steps` does. An installed
# package offers its steps by an entry point, and then nobody has to say anything. [Plug-ins](../plugins.md) has
# the rest.
