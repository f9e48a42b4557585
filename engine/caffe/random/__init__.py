"""Caffe's random numbers, bit for bit, and the fillers that draw them."""
