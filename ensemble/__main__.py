"""``python -m ensemble COMMAND``: any command by its name, as ``reid-ensemble COMMAND``; alone, their list."""

import sys

from ensemble.cli.start import start

if __name__ == "__main__":
    start("python -m ensemble", sys.argv[1:])
