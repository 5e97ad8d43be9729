"""Who belongs together: clusters of one set of images.

one_set    the set: names, distances, what is known of its images and of pairs of them
how        which step clusters and refines, by the command line or by the end of a recipe
finder     the clusters of a set at any threshold, what is costly computed once
fitting    thresholds: given, by number, fitted on labelled identities and judged on others
links      lists of pairs that a person has said yes or no to
answers    the clusters of every data set, scores, notes
"""
