"""``python -m ensemble COMMAND``: every command by its name, as ``reid-ensemble COMMAND``; alone, a list of them."""

import sys

from ensemble.cli.start import start

if __name__ == "__main__":
    start("python -m ensemble", sys.argv[1:])
