"""Caffe Python layers that the networks in prototxt/ name. They run on either engine."""
