"""The hardest pairs of an image in batches as in training, of the models of a run."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ensemble.scores import hardest

if TYPE_CHECKING:
    from ensemble.pipeline.run import Seen

BATCHES = 50  # at most
MODELS = 4  # that are looked at


class HardPairs:
    """Looks at models one after the other, all on the same batches; :meth:`extras` is what it saw."""

    def __init__(self) -> None:
        self.found: dict[str, hardest.Hardest] = {}
        self.what = ""
        self.sizes = (0, 0)

    def look(self, seen: "Seen") -> None:
        """Measure the features of a node, where it is a model that knows all images and these have labels."""
        model = seen.node.model
        if not model or len(self.found) == MODELS or seen.state.rows is not None:
            return
        images = hardest.labelled({**seen.images.known, **seen.state.features}, one_set=seen.images.one_set)
        if images is None:
            return
        people = np.unique(images.pid[images.pid >= 0], return_counts=True)[1]
        identities = min(hardest.IDENTITIES, int(np.count_nonzero(people > 1)))
        if identities < 2:
            return
        self.what, self.sizes = images.what, (identities, hardest.IMAGES)
        dealt = hardest.batches(images.pid, identities=identities, most=BATCHES)
        self.found[model] = hardest.hardest(images.rows, images.pid, dealt)

    def extras(self) -> dict[str, Any]:
        """What a history keeps: (models, batches, bins) counts of distances, the models, and a sentence."""
        if not self.found:
            return {}
        identities, images = self.sizes
        batches = len(next(iter(self.found.values())).rows)
        return {
            "hardest_models": list(self.found),
            "hardest_positive": np.stack([hardest.histograms(pairs.positive) for pairs in self.found.values()]),
            "hardest_negative": np.stack([hardest.histograms(pairs.negative) for pairs in self.found.values()]),
            "hardest_about": f"{batches} batches of {identities} identities with {images} images, of {self.what}",
        }
