# %% [markdown]
# # A competition night
#
# You have feature files of several models, and the server closes at midnight. At the end of this page you have
#
# - a file to hand in, looked through for mistakes,
# - the scores of four recipes, and a test that says which differences are real,
# - pictures of what is still wrong.
#
# Everything here runs on a drawn city, laid out as the AI City challenge lays out its files. It has answers, so
# that there are scores. Put the name of your own folder in the place of `city`; without answers everything but
# the scores works.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
from PIL import Image

import ensemble
from ensemble import demo, validate

_ = demo.main(["city"])  # as `reid-ensemble demo city`

# %% [markdown]
# ## What is in the folder
#
# A pair of files for each model, lists of names, tables of cameras and tracks. `reid-ensemble recipes --for city`
# says which recipes can run on it.

# %%
sorted(path.name for path in Path("city").iterdir() if path.suffix in (".pkl", ".txt", ".csv"))

# %% [markdown]
# ## Four recipes
#
# `baseline` is the plain cosine distance of all models together. `aicity2020_5th` is what the fifth place of 2020
# did. `default` re-ranks and needs nothing but features. `best` takes all that is there: training images,
# cameras, tracks, times.
#
# A recipe brings its own rules of scoring. Numbers can be compared only under one set of rules, so they are named
# here: `aicity` scores the first hundred images.

# %%
recipes = ("baseline", "aicity2020_5th", "default", "best")
runs = {name: ensemble.rank("city", name, protocol="aicity") for name in recipes}
for name, run in runs.items():
    print(f"{name:15} mAP {100 * run.scores.mAP:5.1f}   rank-1 {100 * run.scores.rank1:5.1f}")

# %% [markdown]
# Are the differences real? `compare` draws the vehicles again and again (an interval), and tests each run against
# the first.

# %%
compared = ensemble.compare(*runs.values(), resamples=1000).to_frame()
compared[["run", "mAP", "difference", "low", "high", "p_corrected"]].round(3)

# %% [markdown]
# The same as a picture: how many queries have how much of their answer right.

# %%
figure, axis = plt.subplots(figsize=(6, 3.2))
for name, run in runs.items():
    axis.plot(sorted(100 * run.scores.ap), label=name)
axis.set(xlabel="queries, worst first", ylabel="average precision, %")
axis.legend()
plt.close(figure)
figure

# %% [markdown]
# ## Look at it
#
# A number hides what goes wrong. The demo can draw the vehicles of the same city. (The features above are not
# computed from these pictures, so do not look for the reason of a mistake in a colour.) Each row is a query and
# its first images; green is right, red is wrong. First the baseline:

# %%
_ = demo.main(["pictures", "--images"])


# %%
def strips(run, queries, k=7):
    """A figure: a row a query, the query first."""
    figure, axes = plt.subplots(len(queries), k + 1, figsize=(k + 1, 1.05 * len(queries)))
    kinds = run.to_frame().groupby("query")["relation"].apply(list)
    for row, query in zip(axes, queries, strict=True):
        name = run.query_names[query]
        paths = [Path("pictures/image_query") / name]
        paths += [Path("pictures/image_test") / other for other in run.names[query][:k]]
        for axis, path, kind in zip(row, paths, ["query", *kinds[name][:k]], strict=True):
            axis.imshow(Image.open(path).resize((96, 72)))
            axis.set(xticks=[], yticks=[])
            colour = {"right": "green", "wrong": "red"}.get(kind, "black")
            axis.spines[:].set(color=colour, linewidth=3)
    plt.close(figure)
    return figure


gain = runs["best"].scores.ap - runs["baseline"].scores.ap
looked_at = [*gain.argsort()[-3:], runs["best"].scores.ap.argmin()]  # three that gained most, and the worst
strips(runs["baseline"], looked_at)

# %% [markdown]
# The same four queries with `best`. Three are found now, across cameras; the last is still wrong.

# %%
strips(runs["best"], looked_at)

# %% [markdown]
# ## Hand it in
#
# `track2.txt` has a line a query and the numbers of a hundred images on it. `validate` looks for everything that
# the server would refuse, and says nothing else if there is nothing.

# %%
runs["best"].to_submission("track2", "track2.txt")
status = validate.main(
    ["track2.txt", "--query-names", "city/name_query.txt", "--gallery-names", "city/name_test.txt"]
)

# %% [markdown]
# `write` leaves everything that one wants to find next week: the file, the recipe as it ran, and a record with
# the digests of all inputs. `best` is for any folder, and writes a table if nobody says `track2`.

# %%
written = ensemble.rank("city", "best", set={"submission": "track2"}).write("runs/best")
sorted(path.name for path in written)

# %% [markdown]
# ## The same from the command line
#
# ```text
# reid-ensemble demo city
# reid-ensemble recipes --for city
# reid-ensemble run --features city --recipe best --set submission=track2 --out runs/best --report
# reid-ensemble validate runs/best/track2.txt --query-names city/name_query.txt --gallery-names city/name_test.txt
# ```
#
# Next: your own folder ([files](../files.md)), settings that fit your data ([tuning](../tuning.md)), what a page
# of the report shows ([report](../report.md)).
