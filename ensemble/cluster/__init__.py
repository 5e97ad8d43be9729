"""The command that says who belongs together: its options, and what it leaves behind.

    options   what can be asked for
    function  ``ensemble.cluster`` in Python, and what command and function share
    told      the files and the record

What is computed is in ``ensemble.clusters``.
"""

from ensemble.base import calling

calling.does(__name__, f"{__name__}.function:cluster")
