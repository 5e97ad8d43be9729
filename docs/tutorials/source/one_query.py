# %% [markdown]
# # A service with one query at a time
#
# Your gallery stays, and queries come one by one. At the end of this page you have
#
# - an index of the gallery that re-ranks a single query,
# - images that join and leave while it answers,
# - the index in a folder, and an HTTP server that asks it.

# %%
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import urlopen

import matplotlib.pyplot as plt
import numpy as np

import ensemble
from ensemble.city import city
from postproc import GalleryIndex, l2_normalize, rerank, using

made = city(kind="people")
query, gallery = (l2_normalize(side) for side in made.features[next(iter(made.features))])
labels = {
    f"{side}_{column}": getattr(made, side)[column].to_numpy()
    for side in ("query", "gallery")
    for column in ("pid", "cam")
}
print(f"{len(gallery)} gallery images of {gallery.shape[1]} values, {len(query)} queries")

# %% [markdown]
# ## Look at the gallery once
#
# The index finds the neighbours of all gallery images. A query then costs one look at the features, and the few
# neighbourhoods that it changes.

# %%
index = GalleryIndex(gallery, k1=20, k2=6, lambda_value=0.3)
found = index.rerank(query[0], top_k=5)
found.rows, found.distances.round(3)

# %% [markdown]
# It is the answer of `rerank` for this query alone, to the rounding of float32:

# %%
same = rerank(query[:1], gallery, k1=20, k2=6, lambda_value=0.3, top_k=5)
print(same.rows, np.abs(same.distances - found.distances).max() < 1e-5)

# %% [markdown]
# That is **not** what a paper reports. There all queries are re-ranked together, and a query may be another one's
# neighbour. A service does not have the others. What does that cost?

# %%
alone = index.rerank(query, top_k=len(gallery))  # each by itself, whatever stands beside it
scores = {
    "cosine": ensemble.rank((query, gallery), "baseline", **labels).scores,
    "one at a time": ensemble.score(alone, protocol="market1501", **labels),
    "all together": ensemble.rank((query, gallery), "kreciprocal", **labels).scores,
}
for name, score in scores.items():
    print(f"{name:15} mAP {100 * score.mAP:5.1f}   rank-1 {100 * score.rank1:5.1f}")

# %%
figure, axis = plt.subplots(figsize=(5.5, 3.2))
for name, score in scores.items():
    axis.plot(np.arange(1, 21), 100 * score.cmc[:20], marker=".", label=name)
axis.set(xlabel="places looked at", ylabel="queries with a match there, %", xticks=(1, 5, 10, 15, 20))
axis.legend()
plt.close(figure)
figure

# %% [markdown]
# ## Images join and leave
#
# Rows move up when others leave, so ask by id. An index that images joined and left is the index of those that
# are there now.

# %%
ids = index.add(query[1:4])  # three new images
print("joined as", ids)
print("nearest to the first of them:", index.rerank(query[1], top_k=3, by_id=True).rows)
index.remove(ids)
print("images now:", len(index))

# %% [markdown]
# ## In a folder
#
# Saved and opened again. The features are mapped, so that a large index opens at once; nothing is pickled.

# %%
index.save("gallery.index")
index = GalleryIndex.load("gallery.index")

# %% [markdown]
# ## A server
#
# Features come as float32 in the body of a request; ids and distances go back. Each request uses one thread,
# because many come at a time.


# %%
class Handler(BaseHTTPRequestHandler):
    """Answers a query."""

    def do_POST(self):
        """The nearest 20 images of the features in the body."""
        asked = np.frombuffer(self.rfile.read(int(self.headers["Content-Length"])), "<f4")
        with using(threads=1):
            found = index.rerank(asked, 20, by_id=True)
        answer = {"ids": found.rows[0].tolist(), "distances": found.distances[0].tolist()}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *words):
        """No line a request."""


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)  # port 0: any that is free
threading.Thread(target=server.serve_forever, daemon=True).start()
with urlopen(f"http://127.0.0.1:{server.server_port}", query[0].tobytes()) as reply:
    answer = json.load(reply)
server.shutdown()
server.server_close()
answer["ids"][:5]

# %% [markdown]
# The first five are those of above.
#
# This server is for trying. A real one refuses bodies of another length, knows who may ask, and stands behind
# something that limits how many ask at once.
#
# Next: feature steps that are fitted once and kept with the index, millions of images with an index of faiss or
# usearch in front ([online](../online.md)).
