"""Who is it: a recipe's distances become identities, with the unknown among them.

    people      identities as numbers, and what people call them
    asking      the recipe run on queries, on the database against itself, with identities held out
    thresholds  from which distance on it is somebody new: given, by a share, by chance, fitted on the database
    answers     all of it, data set by data set
    pairs       how alike are these pairs

Nothing here writes or prints.
"""
