"""Readers of feature files: one file a format, each with a value that :mod:`ensemble.io.containers` collects."""
