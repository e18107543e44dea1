"""Furniture of kitchens, bathrooms and laundries."""

from __future__ import annotations

import numpy as np

from sim.house.shape import Kit


def _carcass(k: Kit, w: float, d: float, h: float) -> None:
    k.box((0, -0.03, 0), (w, d - 0.1, 0.09), "handles", 0.003)
    k.box((0, -0.012, 0.09), (w, d - 0.03, h - 0.13), "main", 0.003)


def _fronts(k: Kit, w: float, d: float, h: float, drawers: bool) -> None:
    n = max(1, round(w / 0.5))
    for i in range(n):
        x, wide = (i + 0.5) * w / n - w / 2, w / n - 0.01
        rows = ((0.1, 0.24), (0.35, 0.2), (0.56, h - 0.62)) if drawers else ((0.1, h - 0.15),)
        for z, high in rows:
            k.box((x, d / 2 - 0.018, z), (wide, 0.02, high), "main", 0.006)
            if drawers:
                k.box((x, d / 2 - 0.002, z + high - 0.05), (min(wide * 0.5, 0.2), 0.018, 0.012), "handles", 0.004)
            else:
                k.box(
                    (x + (0.5 - i % 2) * (wide - 0.09), d / 2 - 0.002, h - 0.24), (0.012, 0.018, 0.15), "handles", 0.004
                )


def counter(k: Kit, w: float, d: float, h: float) -> None:
    """A base cupboard with doors or drawers under a worktop."""
    _carcass(k, w, d, h)
    _fronts(k, w, d, h, bool(k.rng.uniform() < 0.5))
    k.box((0, 0, h - 0.04), (w, d, 0.04), "top", 0.006)
    k.region("on", "counter", (0, 0.02, h), (w - 0.06, d - 0.12, 0.42))


def sink_counter(k: Kit, w: float, d: float, h: float) -> None:
    """A base cupboard with a basin let into its top, and a tap."""
    _carcass(k, w, d, h - 0.14)
    _fronts(k, w, d, h, False)
    bw, bd = min(0.46, w - 0.2), d - 0.24
    rim_y = 0.02
    for x in (-1, 1):
        side = (w - bw) / 2
        k.box((x * (bw + side) / 2, 0, h - 0.04), (side, d, 0.04), "top", 0.003)
        k.box((x * bw / 2, rim_y, h - 0.17), (0.008, bd, 0.172), "handles", 0.002)
    for y in (-1, 1):
        edge = rim_y + y * bd / 2
        outer = y * d / 2
        k.box((0, (edge + outer) / 2, h - 0.04), (bw, abs(outer - edge), 0.04), "top", 0.003)
        k.box((0, edge, h - 0.17), (bw, 0.008, 0.172), "handles", 0.002)
    k.box((0, rim_y, h - 0.175), (bw, bd, 0.008), "handles", 0.002)
    a = np.linspace(0, np.pi, 9)
    arc = [(0, -d / 2 + 0.06 + 0.09 * (1 - np.cos(t)), h + 0.2 + 0.08 * np.sin(t)) for t in a]
    k.tube([(0, -d / 2 + 0.06, h), *arc, (0, arc[-1][1], h + 0.16)], 0.012, "handles", 10)
    k.tube([(0.03, -d / 2 + 0.06, h + 0.03), (0.1, -d / 2 + 0.08, h + 0.06)], 0.008, "handles")
    k.region("in", "sink", (0, rim_y, h - 0.166), (bw - 0.08, bd - 0.08, 0.4))
    if w - bw > 0.5:
        k.region("on", "counter", ((w + bw) / 4, 0.02, h), ((w - bw) / 2 - 0.06, d - 0.12, 0.42))


def stove(k: Kit, w: float, d: float, h: float) -> None:
    """An oven with four rings and a row of knobs."""
    k.box((0, -0.015, 0), (w, d - 0.03, h - 0.02), "main", 0.006)
    k.box((0, d / 2 - 0.015, 0.17), (w - 0.03, 0.03, h - 0.36), "main", 0.008)
    k.box((0, d / 2 + 0.001, 0.24), (w - 0.16, 0.006, h - 0.55), "glass", 0.002)
    k.cylinder_x((0, d / 2 + 0.03, h - 0.21), 0.01, w - 0.12, "knobs")
    k.box((0, 0, h - 0.02), (w, d, 0.02), "glass", 0.005)
    for x in (-1, 1):
        for y in (-1, 1):
            r = 0.085 if x * y > 0 else 0.07
            k.lathe(
                (x * w * 0.23, y * d * 0.22, h), [(r, 0), (r, 0.004), (r - 0.012, 0.004), (r - 0.012, 0)], "rings", 28
            )
            k.cylinder((x * w * 0.23, y * d * 0.22, h), 0.03, 0.003, "rings")
            k.region("on", "hob", (x * w * 0.23, y * d * 0.22, h + 0.004), (0.22, 0.22, 0.4))
    for i in range(5):
        with k.turned(((i - 2) * w * 0.17, d / 2 - 0.002, h - 0.09), pitch_deg=-90):
            k.cylinder((0, 0, 0), 0.02, 0.024, "knobs", 0.017, 16)


def refrigerator(k: Kit, w: float, d: float, h: float) -> None:
    """Fridge over freezer."""
    split = h * 0.36
    k.box((0, -0.03, 0.02), (w, d - 0.06, h - 0.02), "main", 0.01)
    k.box((0, d / 2 - 0.035, 0.05), (w, 0.06, split - 0.055), "main", 0.018, 3)
    k.box((0, d / 2 - 0.035, split), (w, 0.06, h - split), "main", 0.018, 3)
    for z, high in ((split - 0.3, 0.22), (split + 0.08, 0.4)):
        k.tube(
            [
                (-w * 0.4, d / 2, z), (-w * 0.4, d / 2 + 0.04, z + 0.02),
                (-w * 0.4, d / 2 + 0.04, z + high), (-w * 0.4, d / 2, z + high + 0.02),
            ],
            0.011, "handles",
        )  # fmt: skip
    k.region("on", "fridge top", (0, -0.02, h), (w - 0.12, d - 0.15, 0.3))


def dishwasher(k: Kit, w: float, d: float, h: float) -> None:
    """A dishwasher under a worktop."""
    k.box((0, -0.02, 0), (w, d - 0.06, h - 0.04), "main", 0.004)
    k.box((0, d / 2 - 0.02, 0.1), (w - 0.01, 0.03, h - 0.26), "main", 0.01, 2)
    k.box((0, d / 2 - 0.02, h - 0.15), (w - 0.01, 0.03, 0.1), "handles", 0.008)
    k.cylinder_x((0, d / 2 + 0.02, h - 0.18), 0.01, w - 0.12, "handles")
    k.box((0, 0, h - 0.04), (w, d, 0.04), "top", 0.006)
    k.region("on", "counter", (0, 0.02, h), (w - 0.06, d - 0.12, 0.42))


def kitchen_island(k: Kit, w: float, d: float, h: float) -> None:
    """A free block with a worktop, open shelves on one side."""
    k.box((0, -0.02, 0.05), (w - 0.1, d - 0.12, h - 0.09), "main", 0.005)
    k.box((0, -0.02, 0), (w - 0.16, d - 0.2, 0.06), "handles", 0.003)
    _fronts(k, w - 0.1, d - 0.08, h, False)
    k.box((0, 0, h - 0.045), (w, d, 0.045), "top", 0.01, 2)
    k.region("on", "counter", (0, 0, h), (w - 0.1, d - 0.1, 0.5))


def _machine(k: Kit, w: float, d: float, h: float, window: bool) -> None:
    k.box((0, -0.01, 0.02), (w, d - 0.02, h - 0.02), "main", 0.015, 2)
    k.box((0, d / 2 - 0.012, h - 0.13), (w - 0.02, 0.02, 0.11), "panel", 0.005)
    with k.turned((0, d / 2 - 0.01, h * 0.45), pitch_deg=-90):
        r = w * 0.33
        k.lathe((0, 0, 0), [(r, 0), (r, 0.02), (r - 0.02, 0.035), (r - 0.05, 0.03), (r - 0.06, 0.01)], "ring", 40)
        k.lathe((0, 0, 0), [(r - 0.055, 0.012), (r * 0.5, 0.03), (0, 0.034)], "glass" if window else "main", 36)
    with k.turned((w * 0.3, d / 2, h - 0.075), pitch_deg=-90):
        k.cylinder((0, 0, 0), 0.03, 0.025, "ring")
    k.region("on", "machine top", (0, -0.02, h), (w - 0.1, d - 0.12, 0.5))


def washing_machine(k: Kit, w: float, d: float, h: float) -> None:
    """A front loader with a round window."""
    _machine(k, w, d, h, True)


def tumble_dryer(k: Kit, w: float, d: float, h: float) -> None:
    """Like the washing machine, its door without a window."""
    _machine(k, w, d, h, False)


def toilet(k: Kit, w: float, d: float, h: float) -> None:
    """A bowl, a seat and a cistern against the wall."""
    k.box((0, -d / 2 + 0.09, 0.38), (w, 0.18, h - 0.42), "main", 0.03, 3)
    k.box((0, -d / 2 + 0.09, h - 0.045), (w + 0.015, 0.19, 0.035), "main", 0.012, 2)
    k.cylinder((0, -d / 2 + 0.09, h - 0.01), 0.02, 0.012, "handles")
    k.box((0, -d / 2 + 0.14, 0), (w * 0.55, 0.26, 0.4), "main", 0.04, 2)
    r = w * 0.48
    bowl = [(0, 0), (r * 0.55, 0), (r * 0.5, 0.06), (r * 0.62, 0.2), (r * 0.98, 0.37), (r, 0.4), (r * 0.8, 0.4)]
    with k.stretched((0, d / 2 - 0.28, 0), 1.0, 0.28 / r):
        k.lathe((0, 0, 0), [*bowl, (r * 0.7, 0.36), (r * 0.35, 0.25), (0, 0.23)], "main", 36)
        k.lathe(
            (0, 0, 0.4),
            [(r * 0.7, 0), (r, 0), (r, 0.018), (r * 0.96, 0.024), (r * 0.72, 0.022), (r * 0.7, 0)],
            "main",
            36,
        )
    k.region("on", "toilet", (0, -d / 2 + 0.09, h - 0.01), (w - 0.14, 0.12, 0.3))


def washbasin(k: Kit, w: float, d: float, h: float) -> None:
    """A basin let into a cupboard, with a tap."""
    k.box((0, -0.02, 0.14), (w - 0.03, d - 0.06, h - 0.3), "cupboard", 0.008)
    for x in (-1, 1):
        k.box((x * (w - 0.04) / 4, d / 2 - 0.045, 0.16), (w / 2 - 0.03, 0.018, h - 0.34), "cupboard", 0.006)
        k.box((x * 0.04, d / 2 - 0.03, h - 0.3), (0.012, 0.018, 0.1), "handles", 0.004)
    k.box((0, -0.02, 0), (w - 0.1, d - 0.14, 0.15), "cupboard", 0.004)
    r = min(w, d) * 0.38
    k.box((0, 0, h - 0.16), (w, d, 0.05), "main", 0.015, 2)
    with k.stretched((0, 0.02, h - 0.11), min(1.25, w * 0.42 / r), 1.0):
        k.lathe(
            (0, 0, 0),
            [
                (0, 0), (r * 0.6, 0), (r * 0.9, 0.04), (r, 0.1), (r, 0.11), (r * 0.95, 0.11), (r * 0.8, 0.05),
                (r * 0.4, 0.02), (0, 0.018),
            ],
            "main", 40,
        )  # fmt: skip
    y = -d / 2 + 0.05
    k.tube([(0, y, h - 0.12), (0, y, h + 0.1), (0, y + 0.03, h + 0.14), (0, y + 0.12, h + 0.12)], 0.012, "handles", 10)
    edge = (w / 2 - r * min(1.25, w * 0.42 / r)) - 0.03
    if edge > 0.07:
        for x in (-1, 1):
            k.region("on", "washbasin", (x * (w / 2 - edge / 2 - 0.015), 0, h - 0.11), (edge, d * 0.8, 0.4))


def bathtub(k: Kit, w: float, d: float, h: float) -> None:
    """A tub against the wall: its long side along x."""
    t, floor = 0.07, 0.14
    for y in (-1, 1):
        k.box((0, y * (d / 2 - t / 2), 0), (w, t, h), "main", 0.025, 3)
    for x in (-1, 1):
        k.box((x * (w / 2 - t / 2), 0, 0), (t, d, h), "main", 0.025, 3)
    k.box((0, 0, 0), (w - 0.08, d - 0.08, floor), "main", 0.01)
    with k.turned((-w / 2 + t + 0.1, 0, floor - 0.04), roll_deg=-28):
        k.box((0, 0, 0), (0.05, d - 2 * t, h - 0.08), "main", 0.01)
    k.tube([(w / 2 - 0.04, 0, h), (w / 2 - 0.04, 0, h + 0.14), (w / 2 - 0.16, 0, h + 0.12)], 0.014, "handles", 10)
    k.region("in", "bathtub", (0.1, 0, floor), (w - 0.7, d - 0.3, 0.4))
    k.region("on", "bath edge", (0, d / 2 - t / 2, h), (w - 0.5, t, 0.3))


def shower(k: Kit, w: float, d: float, h: float) -> None:
    """A tray, two glazed posts and a head on a riser."""
    k.box((0, 0, 0), (w, d, 0.06), "main", 0.02, 2)
    for x in (-1, 1):
        k.box((x * (w / 2 - 0.015), d / 2 - 0.015, 0.06), (0.03, 0.03, h - 0.06), "handles", 0.004)
    k.box((0, d / 2 - 0.015, h - 0.03), (w - 0.03, 0.03, 0.03), "handles", 0.004)
    k.box((-w / 2 + 0.015, 0, 0.06), (0.012, d - 0.04, 1.0), "pane", 0.003)
    k.box((-w / 2 + 0.015, 0, h - 0.03), (0.03, d - 0.03, 0.03), "handles", 0.004)
    y = -d / 2 + 0.03
    k.tube(
        [(0.1, y, 0.9), (0.1, y, h - 0.15), (0.1, y + 0.06, h - 0.08), (0.1, y + 0.22, h - 0.1)], 0.011, "handles", 10
    )
    k.cylinder((0.1, y + 0.22, h - 0.13), 0.1, 0.02, "handles", 0.05, 28)
    k.box((-0.18, y + 0.04, 1.05), (0.3, 0.1, 0.015), "handles", 0.004)
    k.region("on", "shower shelf", (-0.18, y + 0.04, 1.065), (0.28, 0.09, 0.3))


def towel_rail(k: Kit, w: float, d: float, h: float) -> None:
    """A ladder of warm pipes with a towel over one of them; hangs on a wall."""
    y = -d / 2 + 0.05
    for x in (-1, 1):
        k.tube([(x * w / 2, y, 0), (x * w / 2, y, h)], 0.014, "handles")
    n = max(4, round(h / 0.14))
    for i in range(n):
        k.cylinder_x((0, y, 0.05 + i * (h - 0.1) / (n - 1)), 0.009, w, "handles")
    k.box((0, y + 0.02, h * 0.3), (w * 0.8, 0.014, h * 0.62), "main", 0.006)
    k.box((0, y, h * 0.9), (w * 0.8, 0.05, 0.03), "main", 0.013, 2)
