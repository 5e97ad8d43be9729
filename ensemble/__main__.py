"""``python -m ensemble``: the commands of this package, one line each."""

from ensemble.cli import listing

if __name__ == "__main__":
    listing.show("ensemble")
