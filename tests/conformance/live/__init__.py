"""The same things done in the engine and in real Caffe 1.0, live, and compared: see conformance.py beside this folder.

A *part* is a module in parts/ (layers, solvers, …) that says what to run and what to make of the results:

    TITLE           heading in the table
    rounds()        lists of names, run one list after the other: each name is one thing to do
    run(caffe, name, side)   do it on the side where it is called; gives {name of an array: array}
    section(found)  the part of the table, from {side: {name: arrays, or the text of what went wrong}}
    SIDES           the sides that run it; without it, engine and real

`run` is called in both engines, so what it needs keeps to Python 3.9 and numpy 1.19, and imports caffe nowhere else.
The working folder is the same on all sides and holds the project's rooms.
"""
