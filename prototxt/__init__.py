"""The thesis's networks and solvers as Caffe prototxt, and the script they are generated from."""
