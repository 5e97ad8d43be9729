"""Feature files of several models in, the best ranking, a submission file and scores out."""

__version__ = "0.1.0"
