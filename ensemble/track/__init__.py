"""Tracks of single cameras become identities over all of them.

boxes and features ─▶ tracklets ─▶ appearance · travel · place ─▶ association ─▶ cleaning ─▶ track1.txt

value        Tracklets, and the world that an association sees
tracklets    made of boxes; features joined to them
appearance   how unlike tracklets look: any recipe of ensemble.run, on tracklets
travel       whether somebody can have gone from here to there; windows learned with and without labels
place        who stood where at the same time
clusters     groups of tracklets from distances
linking      associations over all tracklets at once: linkage, union
passes       pair of cameras by pair of cameras, twice (AI City 2021, first)
votes        boxes vote for tracklets (AI City 2022, first)
cleaning     what is left out, and what is added, afterwards
recipe       all of this as TOML, checked
given        everything that a user hands in, read and joined
result       identities, files, and what is said
options      what the command can be asked for
function     ``ensemble.track`` in Python, and what command and function share
"""

from ensemble.base import calling

calling.does(__name__, f"{__name__}.function:track")
