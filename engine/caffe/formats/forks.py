"""What forks of Caffe write for what Caffe's own fields and layers do as well, for errors that say so."""

# a fork's field → what to write in its place
FIELDS = {
    "ceil_mode": "write round_mode: FLOOR for ceil_mode: false, and leave out ceil_mode: true",
}
_DEPTHWISE = 'type: "Convolution" with group: the number of input channels (the weights are the same)'
# a fork's layer type → what to write in its place
SAME_AS = {
    "ConvolutionDepthwise": _DEPTHWISE,
    "DepthwiseConvolution": _DEPTHWISE,
    "BN": 'type: "BatchNorm" and behind it type: "Scale" with bias_term: true (which hold its weights in another form)',
    "ReLU6": 'type: "Clip" with clip_param { min: 0 max: 6 }',
    "LeakyReLU": 'type: "ReLU" with relu_param { negative_slope: … }',
}
