"""``python -m ensemble.report``: see :mod:`ensemble.report.command`."""

from ensemble.base import errors
from ensemble.report import command

if __name__ == "__main__":
    errors.main(command.main)
