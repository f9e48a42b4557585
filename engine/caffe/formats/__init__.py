"""Files in and out: weights, states, prototxt of every age, databases, HDF5. What is wrong with one is a CaffeError."""
