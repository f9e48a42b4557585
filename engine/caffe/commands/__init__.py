"""Caffe's tools, a module each: its docstring says what it is for; USAGE, FLAGS, ARGUMENTS (how many), run."""
