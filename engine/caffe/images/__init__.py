"""What images go through on their way into a net: resizing as pycaffe does it, crops, mirrors and means."""
