"""The script beside this file needs torch and is no test."""

collect_ignore = ["make_torch_files.py"]
