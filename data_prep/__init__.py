"""From videos and annotations to what the networks read: frames, motion images, labels, simulated data."""
