"""Solvers: the loop, the update rules, snapshots, signals, and training by several processes."""
