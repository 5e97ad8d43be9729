"""Identities, cameras, tracks and frames out of the names of images, written as tables of labels.

source     where names come from: a folder of images, a list, feature files     -> Source
listings   list files of data sets: names with labels                           -> Listing
labels     names and lists to columns, side by side, and the tables they become
report     what parsed names add up to, and what about them is suspicious
"""
