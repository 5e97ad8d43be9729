"""One plug-in of every kind: steps, a join, a reader of feature files, a submission format."""
