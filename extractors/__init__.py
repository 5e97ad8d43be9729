"""Thin wrappers that run a model over images and write feature files."""
