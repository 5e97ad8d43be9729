"""The command that names identities: its options for the file that is handed in, and what it leaves behind.

forms   a known form of submission, or one's own columns, words and separators
told    the files, the record, and all of it in words
"""
