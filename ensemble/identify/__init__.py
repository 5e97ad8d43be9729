"""The command that names identities: its options, the file that is handed in, and what it leaves behind.

    options   what can be asked for
    function  ``ensemble.identify`` in Python, and what command and function share
    forms     a known form of submission, or one's own columns, words and separators
    told      the files and the record
    words     thresholds and scores for people

What is computed is in ``ensemble.identities``.
"""

from ensemble.base import calling

calling.does(__name__, f"{__name__}.function:identify")
