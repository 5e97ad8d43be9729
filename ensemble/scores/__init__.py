"""How good a ranking is: mAP, CMC and mINP under a named protocol, by counting instead of sorting.

Places are 0-based in the ranking without the removed images, ties broken by gallery row. An image at +inf is
never returned: it stands behind everything else, and a good one there is missed, yet counts as a good one.
"""

from ensemble.scores.labels import Labels, labels_of
from ensemble.scores.protocol import Protocol
from ensemble.scores.protocols import PROTOCOLS
from ensemble.scores.scoring import (
    cmc_all_shots,
    score,
    score_labelled,
    score_labelled_lists,
    score_labelled_ranking,
    score_ranking,
)
from ensemble.scores.values import Scores

__all__ = [
    "PROTOCOLS",
    "Labels",
    "Protocol",
    "Scores",
    "cmc_all_shots",
    "labels_of",
    "score",
    "score_labelled",
    "score_labelled_lists",
    "score_labelled_ranking",
    "score_ranking",
]
