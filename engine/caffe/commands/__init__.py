"""Caffe's command-line tools, a module for each: what it is for (its docstring), USAGE, FLAGS, run(flags, arguments)."""
