"""``python -m bench``: the measurements of this folder, one line each."""

from ensemble.cli import listing

if __name__ == "__main__":
    listing.show("bench")
