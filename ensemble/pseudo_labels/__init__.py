"""Groups of images in the place of identities, and training images with them.

grouping   which image is in which group, and what it is called    -> Grouped
training   the grouped images as train of every model
"""
