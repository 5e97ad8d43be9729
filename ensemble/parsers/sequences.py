"""Frames of every sequence of Market-1501, whose frames start anew in each, as released codes have them.

Source: Wang et al., "Spatial-Temporal Person Re-identification", AAAI 2019, and FGReID: the code
released with them.
"""

STREID = {  # the last frame of (camera, sequence)
    (camera, sequence): last
    for camera, lasts in {
        1: (72681, 74546, 74881, 74661, 74891, 54346),
        2: (163691, 164677, 98102),
        3: (161708, 161769, 104469),
        4: (72107, 72373, 74810, 74541, 74910, 50616),
        5: (161095, 161724, 103487),
        6: (87551, 131268, 95817, 30952),
    }.items()
    for sequence, last in enumerate(lasts, start=1)
}
FGREID = STREID | {(1, 4): 74761, (2, 2): 164727, (4, 1): 72707, (4, 2): 72473}
LENGTHS = {"streid": STREID, "fgreid": FGREID, "seen": None}  # None: the largest frame that occurs
