"""``python -m ensemble.tune``."""

from ensemble.base import errors
from ensemble.tune.command import main

if __name__ == "__main__":
    errors.main(main)
