"""Boxes of cameras, frame by frame: read, put into seconds, handed in, scored.

value    Boxes: camera, track, frame, rectangle, a point on the ground
reading  track files, one a camera (MOT) or of all (AI City)
tables   cameras with offset and rate, travel windows, zones, as tables
track1   the files that AI City 2022 and 2024 want: written, looked through
scores   IDF1, IDP, IDR by motmetrics, HOTA by trackeval, over all cameras
"""
