"""Caffe's tools, a module each: its docstring says what it is for; then USAGE, FLAGS, ARGUMENTS (how many), run.

One that logs less than all on stderr has LOG_LEVEL, from which on it does.
"""
