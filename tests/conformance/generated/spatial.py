"""Layers with windows: Convolution, Deconvolution, Im2col, Pooling, SPP, LRN, Crop."""

from __future__ import annotations

from generated.draw import Draw, vary


class Windows:
    """Kernels, strides, pads and dilations of some axes, and extents of images that they fit in.

    most_pad: the largest pad, as a share of what a window reaches beyond its first number; above a half, the output of
    a Deconvolution could be nothing.
    """

    def __init__(self, draw: Draw, axes: int, most_pad: float = 1):
        self.axes = axes
        same = draw.chance(0.5)
        self.large = axes < 3 and draw.chance(0.15)

        def each(least: int, most: int) -> list:
            values = [draw.size(least, most) for _ in range(axes)]
            return values[:1] * axes if same else values

        self.kernel, self.stride = each(1, 3 if axes > 2 else 7 if self.large else 4), each(1, 5 if self.large else 3)
        self.dilation = each(1, 4 if self.large else 2) if draw.chance(0.35) else [1] * axes
        self.reach = [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation)]
        # a pad may well reach further than a window
        beyond = 3 if most_pad == 1 and draw.chance(0.1) else 0
        self.pad = [draw.size(0, int(most_pad * (reach - 1)) + beyond) for reach in self.reach]
        if same:
            self.pad = [min(self.pad)] * axes
        # both ways of writing them are drawn: by side, and one value for all
        self.text = " ".join(self._field(draw, name, getattr(self, name)) for name in ("kernel", "stride", "pad"))
        if self.dilation != [1] * axes:
            self.text += " " + self._all("dilation", self.dilation)

    def _field(self, draw: Draw, name: str, values: list) -> str:
        if self.axes == 2 and values[0] != values[1] and name != "dilation":
            return f"{name}_h: {values[0]} {name}_w: {values[1]}"
        return self._all("kernel_size" if name == "kernel" else name, values)

    @staticmethod
    def _all(name: str, values: list) -> str:
        return " ".join(f"{name}: {value}" for value in (values[:1] if len(set(values)) == 1 else values))

    def image(self, draw: Draw, most: int) -> tuple:
        """Extents at which every axis has a window at least."""
        most = 3 * most if self.large else most
        return tuple(draw.size(max(1, reach - 2 * pad), max(most, reach)) for reach, pad in zip(self.reach, self.pad))


def convolution(kind: str):
    def make(draw: Draw):
        axes = draw.pick(1, 2, 2, 2, 2, 3)
        windows = Windows(draw, axes, 0.5 if kind == "Deconvolution" else 1)
        group = draw.pick(1, 1, 1, 2, 3, 8)
        channels, outputs = group * draw.size(1, 3), group * draw.size(1, 3)
        if draw.chance(0.08):
            channels, outputs = group * 16, group * 32
        lead = draw.pick(1, 1, 1, 0, 2)  # axes before the channels
        before = draw.shape(lead, 1, 3)
        most = 8 if axes < 3 else 4
        shape = (*before, channels, *windows.image(draw, most))
        body = f"num_output: {outputs} {windows.text}"
        if lead != 1 or draw.chance(0.1):
            body += f" axis: {draw.pick(lead, -1 - axes)}"
        if group > 1:
            body += f" group: {group}"
        bias = not draw.chance(0.3)
        if not bias:
            body += " bias_term: false"
        if draw.chance(0.1) and axes == 2 and kind == "Convolution":
            body += " force_nd_im2col: true"
        rest: dict = {}
        if draw.chance(0.25):
            rest["params"] = None
            body += " " + draw.filler("weight_filler")
            body += " " + draw.filler("bias_filler") if bias else ""
        bottoms, tops = {"x": (shape, "normal")}, "y"
        if draw.chance(0.25):
            bottoms["z"], tops = (shape, "normal"), "y w"
        size = (*before, channels, *windows.image(draw, most))
        another = {blob: size for blob in bottoms}
        return vary(draw, kind, bottoms, tops, f"convolution_param {{ {body} }}", another=another,
                    multipliers=1 + bias, **rest)

    return make


def im2col(draw: Draw):
    axes = draw.pick(1, 2, 2, 3)
    windows = Windows(draw, axes)
    lead = draw.pick(1, 1, 1, 0, 2)
    before = draw.shape(lead, 1, 3)
    shapes = [(*before, 2, *windows.image(draw, 6)) for _ in range(2)]
    axis = f" axis: {lead}" if lead != 1 else ""
    return vary(draw, "Im2col", {"x": (shapes[0], "normal")}, "y", f"convolution_param {{ {windows.text}{axis} }}",
                another={"x": shapes[1]})


def pooling(draw: Draw):
    method = draw.pick("MAX", "AVE")
    kind = draw.pick("normal", "grid") if method == "MAX" else "normal"
    tops = "y mask" if method == "MAX" and draw.chance(0.3) else "y"
    # a loss weight on the mask, or another window than the image's, is no use
    rest = {"weights": tops == "y"}
    if draw.chance(0.15):
        shape = (*draw.shape(2, 1, 3), *draw.shape(2, 1, 6))
        another = (*draw.shape(2, 1, 3), *draw.shape(2, 1, 6))
        return vary(draw, "Pooling", {"x": (shape, kind)}, tops,
                    f"pooling_param {{ pool: {method} global_pooling: true }}", another={"x": another}, **rest)
    kernel = [draw.size(1, 5) for _ in range(2)]
    if draw.chance(0.6):
        kernel[1] = kernel[0]
    # a stride beyond the kernel leaves windows outside the image, where real Caffe's MAX writes outside its memory
    stride = [draw.size(1, k) for k in kernel]
    pad = [draw.size(0, k - 1) if draw.chance(0.5) else 0 for k in kernel]
    text = " ".join(f"{name}_h: {v[0]} {name}_w: {v[1]}" if v[0] != v[1] else
                    f"{'kernel_size' if name == 'kernel' else name}: {v[0]}"
                    for name, v in (("kernel", kernel), ("stride", stride), ("pad", pad)))
    if draw.chance(0.3):
        text += f" round_mode: {draw.pick('FLOOR', 'CEIL')}"

    def image():
        return (*draw.shape(2, 1, 3), *(draw.size(k, 9) for k in kernel))

    return vary(draw, "Pooling", {"x": (image(), kind)}, tops, f"pooling_param {{ pool: {method} {text} }}",
                another={"x": image()}, **rest)


def fits_pyramid(extent: int, height: int) -> bool:
    """Whether Caffe's pad is below its kernel at every level (src/caffe/layers/spp_layer.cpp)."""
    for level in range(height):
        bins = 2 ** level
        kernel = -(-extent // bins)
        pad = (kernel * bins - extent + 1) // 2
        # the last window must begin inside the padded image
        if pad >= kernel or (bins - 1) * kernel >= extent + pad:
            return False
    return True


def spp(draw: Draw):
    height = draw.size(1, 3)
    fitting = [extent for extent in range(1, 14) if fits_pyramid(extent, height)]
    shapes = [(*draw.shape(2, 1, 3), draw.pick(*fitting), draw.pick(*fitting)) for _ in range(2)]
    body = f"spp_param {{ pool: {draw.pick('MAX', 'AVE')} pyramid_height: {height} }}"
    return vary(draw, "SPP", {"x": (shapes[0], "normal")}, "y", body,
                another={"x": (shapes[1][0], *shapes[0][1:])})


def lrn(draw: Draw):
    within = draw.chance(0.4)
    shape = (*draw.shape(2, 1, 7), *draw.shape(2, 1, 6))
    body = f"local_size: {draw.pick(1, 3, 5, 7)} " + draw.fields(alpha=(0.0001, 0.5, 2), beta=(0.3, 0.75, 1.5),
                                                                k=(0.5, 1, 2))
    body += " norm_region: WITHIN_CHANNEL" if within else ""
    another = (draw.size(1, 4), shape[1], *draw.shape(2, 1, 6))
    return vary(draw, "LRN", {"x": (shape, draw.pick("normal", "normal 5"))}, "y", f"lrn_param {{ {body} }}",
                another={"x": another})


def crop(draw: Draw):
    axes = draw.size(1, 5)
    small = draw.shape(axes, 1, 4)
    axis, written = draw.axis(axes)
    offsets = [draw.size(0, 2) for _ in range(axes - axis)]
    single = draw.chance(0.5)
    if single:
        offsets = offsets[:1] * len(offsets)
    large = tuple(extent if i < axis else extent + offsets[i - axis] + draw.size(0, 2)
                  for i, extent in enumerate(small))
    text = " ".join(f"offset: {offset}" for offset in (offsets[:1] if single else offsets))
    # the axes before are taken from the first bottom
    reference = tuple(draw.size(1, 4) if i < axis else extent for i, extent in enumerate(small))
    return vary(draw, "Crop", {"x": (large, "normal"), "size": (reference, "normal")}, "y",
                f"crop_param {{ axis: {written} {text} }}", another={}, gradients=(1,))


TYPES = {"Convolution": (48, convolution("Convolution")), "Deconvolution": (28, convolution("Deconvolution")),
         "Im2col": (10, im2col), "Pooling": (34, pooling), "SPP": (10, spp), "LRN": (18, lrn), "Crop": (10, crop)}
