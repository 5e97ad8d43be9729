"""What a made-up city is: tables, features of every model, side models, a training set."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

Sides = tuple[np.ndarray, np.ndarray, np.ndarray]  # query, gallery, train


@dataclass(frozen=True)
class City:
    """A labelled city. Row ``i`` of a table is row ``i`` of every model's array of that side.

    ``query``, ``gallery`` and ``train`` have ``name pid`` and, where the kind of city has them, ``cam``,
    ``cam_predicted`` (what a camera classifier says, -1 unknown; not ``train``), ``frame`` (time, comparable
    between cameras), ``scene``, ``quality`` (area of the crop in pixels), ``track`` (from 0; not ``query``) and
    ``order`` (``gallery``: place in the line of the track list, which is not the order of time). ``train`` shows
    other identities in the same cameras; of vehicles it has the true ``type brand colour`` too.

    ``features[model]`` is ``query (nq, d), gallery (ng, d)`` and ``train_features[model]`` (n, d), float32, of a
    length just below 1: the more blurred an image, the shorter, as the mean over an image and its mirror image is.
    ``side[name]`` is ``query, gallery, train`` of a model that is no appearance model: unit length, or class
    probabilities (``attributes``), or zeros where there is nothing to see (``parts_*``).
    ``confusions[attribute]`` counts images of ``train``: true classes down, most probable classes across.
    """

    query: pd.DataFrame
    gallery: pd.DataFrame
    train: pd.DataFrame
    features: dict[str, tuple[np.ndarray, np.ndarray]]
    train_features: dict[str, np.ndarray]
    side: dict[str, Sides]
    confusions: dict[str, np.ndarray]
