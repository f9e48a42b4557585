"""What all plots share: the drawing backend, the palette and how a PNG is written."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_prep.files import atomic_path

# Okabe and Ito's eight colours ("Color Universal Design", 2008), told apart with every kind of colour
# blindness, and a grey. Black goes last but for it; for more classes the nine return lighter, then darker.
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000", "#8A8A8A")
NOT_ANNOTATED = "#E6E6E6"
DPI = 150


def canvas(width: float, height: float) -> Any:
    """An empty figure of `width` × `height` inches, drawn without a display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(made)
    return made


def figure(width: float, height: float) -> tuple[Any, Any]:
    """A figure of `width` × `height` inches and its axes."""
    made = canvas(width, height)
    return made, made.add_subplot(111)


def grid(rows: int, columns: int, width: float, height: float) -> tuple[Any, Any]:
    """A figure of `width` × `height` inches with rows × columns axes, an array of those."""
    made = canvas(width, height)
    return made, made.subplots(rows, columns, squeeze=False)


def save(made: Any, path: str | Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    with atomic_path(Path(path)) as temporary:
        made.savefig(str(temporary), format="png", bbox_inches="tight")


def sign(path: str | Path, facts: Mapping[str, str]) -> None:
    """Add texts to a PNG, each under its name (tEXt chunks, PNG specification 11.3.4), whole or not at all."""
    content = Path(path).read_bytes()
    after = 8 + 25  # the signature and the chunk IHDR, which comes first
    texts = b"".join(_chunk(b"tEXt", f"{name}\0{text}".encode("latin-1", "replace")) for name, text in facts.items())
    with atomic_path(Path(path)) as temporary:
        temporary.write_bytes(content[:after] + texts + content[after:])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def class_colours(count: int) -> list[tuple[float, ...]]:
    """`count` colours (red, green, blue in 0 … 1), the same class always getting the same one."""
    from matplotlib.colors import to_rgb

    base: list[tuple[float, ...]] = [to_rgb(colour) for colour in OKABE_ITO]
    lighter = [tuple(0.5 + 0.5 * part for part in colour) for colour in base]
    darker = [tuple(0.55 * part for part in colour) for colour in base[:-1]]
    colours = base + lighter + darker
    return [colours[index % len(colours)] for index in range(count)]


def time_unit(seconds: float) -> tuple[float, str]:
    """The unit in which a span of `seconds` reads well, and its length in seconds."""
    units = ((3 * 3600.0, 3600.0, "hours"), (5 * 60.0, 60.0, "minutes"), (0.0, 1.0, "seconds"))
    return next((length, name) for above, length, name in units if seconds >= above)
