"""The recipes that come with the package, a TOML file each, and the command that lists them.

suited   which of them can run on a folder, and why the others cannot
"""
