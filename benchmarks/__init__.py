"""`make bench`: how fast everything is, beside real Caffe 1.0 and beside what this machine can do.

    python -m benchmarks [--parts LIST] [--repeats N] [--video FILE] [--gpu N] [--quick] [--output results/bench.md]

Each part is a module with TITLE, `measure(way, found)`, which gives what JSON can hold, and `lines(results)`, which
makes its piece of the page of that. What was measured stands in results/bench.json, and a part that is measured again
takes its old place there; the page is made of that file, and of notes.md.

    machine     the rates of matrix products and of memory, and the floors that follow
    steps       a training step and a forward pass: the engine, real Caffe, the floor
    layers      where a training step's time goes, layer by layer
    stages      where a prediction's time goes, stage by stage
    data        `prepare`, motion images, position features
    waiting     the data layer alone, and how long a training step waits for it
    predict     a minute of video by each system, from the command to its files
    sizes       cost against size: batches, minutes of video, processes
    startup     commands that do nothing, and `import caffe`

`side` runs inside both engines and `sides` talks to it; `nets` writes the nets, `work` counts what they compute.
"""
