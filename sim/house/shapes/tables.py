"""Tables, desks and what stands on their kind of legs."""

from __future__ import annotations

import numpy as np

from sim.house.shape import Kit


def dining_table(k: Kit, w: float, d: float, h: float) -> None:
    """A rectangular table on four legs."""
    for x in (-1, 1):
        for y in (-1, 1):
            k.box((x * (w / 2 - 0.07), y * (d / 2 - 0.07), 0), (0.06, 0.06, h - 0.035), "legs", 0.01, 2)
    for y in (-1, 1):
        k.box((0, y * (d / 2 - 0.07), h - 0.12), (w - 0.2, 0.022, 0.09), "legs")
    for x in (-1, 1):
        k.box((x * (w / 2 - 0.07), 0, h - 0.12), (0.022, d - 0.2, 0.09), "legs")
    k.box((0, 0, h - 0.035), (w, d, 0.035), "main", 0.012, 2)
    k.region("on", "dining table", (0, 0, h), (w - 0.1, d - 0.1, 0.6))


def round_table(k: Kit, w: float, d: float, h: float) -> None:
    """A round table on a turned foot."""
    r = min(w, d) / 2
    foot = [(0, 0), (r * 0.5, 0), (r * 0.52, 0.015), (r * 0.2, 0.05), (0.045, 0.12), (0.035, h * 0.5), (0.06, h - 0.05)]
    k.lathe((0, 0, 0), [*foot, (r * 0.3, h - 0.03), (0, h - 0.03)], "legs", 32)
    k.lathe(
        (0, 0, h - 0.032), [(0, 0), (r - 0.01, 0), (r, 0.008), (r, 0.024), (r - 0.008, 0.032), (0, 0.032)], "main", 48
    )
    k.region("on", "dining table", (0, 0, h), (r * 1.3, r * 1.3, 0.6))


def coffee_table(k: Kit, w: float, d: float, h: float) -> None:
    """A low table with a shelf below its top."""
    for x in (-1, 1):
        for y in (-1, 1):
            k.cylinder((x * (w / 2 - 0.06), y * (d / 2 - 0.06), 0), 0.016, h - 0.02, "legs", 0.026, 14)
    k.box((0, 0, h * 0.38), (w - 0.1, d - 0.1, 0.018), "legs", 0.006)
    k.box((0, 0, h - 0.03), (w, d, 0.03), "main", 0.012, 2)
    k.region("on", "coffee table", (0, 0, h), (w - 0.08, d - 0.08, 0.5))
    k.region("under", "table shelf", (0, 0, h * 0.38 + 0.018), (w - 0.2, d - 0.2, h * 0.6 - 0.06))


def side_table(k: Kit, w: float, d: float, h: float) -> None:
    """A small round table on three legs."""
    r = min(w, d) / 2
    for i in range(3):
        a = np.radians(120.0 * i + 90)
        foot, head = (
            (r * 0.85 * np.cos(a), r * 0.85 * np.sin(a), 0),
            (r * 0.45 * np.cos(a), r * 0.45 * np.sin(a), h - 0.02),
        )
        k.tube([foot, head], [0.011, 0.017], "legs")
    k.lathe(
        (0, 0, h - 0.024), [(0, 0), (r - 0.01, 0), (r, 0.008), (r, 0.024), (r - 0.005, 0.024), (0, 0.02)], "main", 40
    )
    k.region("on", "side table", (0, 0, h - 0.003), (r * 1.25, r * 1.25, 0.5))


def desk(k: Kit, w: float, d: float, h: float) -> None:
    """A desk with a chest of three drawers on one side; one sits at its front."""
    side = 1 if k.rng.uniform() < 0.5 else -1
    cx = side * (w / 2 - 0.22)
    k.box((0, 0, h - 0.03), (w, d, 0.03), "main", 0.008, 2)
    k.box((cx, -0.01, 0.03), (0.4, d - 0.06, h - 0.06), "main", 0.006)
    for i in range(3):
        z = 0.06 + i * (h - 0.12) / 3
        k.box((cx, d / 2 - 0.035, z), (0.37, 0.02, (h - 0.12) / 3 - 0.015), "front", 0.006)
        k.box((cx, d / 2 - 0.018, z + (h - 0.12) / 6), (0.1, 0.016, 0.012), "handles", 0.005)
    for y in (-1, 1):
        k.box((-side * (w / 2 - 0.04), y * (d / 2 - 0.05), 0), (0.04, 0.04, h - 0.03), "main", 0.006)
    k.box((-side * 0.2, -d / 2 + 0.03, h * 0.45), (w - 0.46, 0.016, h * 0.45), "main")
    k.region("on", "desk", (0, 0, h), (w - 0.08, d - 0.08, 0.6))
    k.region("under", "under desk", (-side * 0.2, -d * 0.15, 0), (w - 0.65, d * 0.5, h - 0.2))


def console_table(k: Kit, w: float, d: float, h: float) -> None:
    """A narrow table for a hall, with a shelf near the ground."""
    for x in (-1, 1):
        for y in (-1, 1):
            k.box((x * (w / 2 - 0.02), y * (d / 2 - 0.02), 0), (0.028, 0.028, h - 0.02), "legs", 0.004)
    k.box((0, 0, h - 0.03), (w, d, 0.03), "main", 0.006)
    k.box((0, 0, 0.16), (w - 0.03, d - 0.03, 0.018), "main", 0.004)
    k.region("on", "console", (0, 0, h), (w - 0.08, d - 0.06, 0.5))
    k.region("under", "shoes", (0, 0, 0.178), (w - 0.14, d - 0.08, h - 0.28))


def workbench(k: Kit, w: float, d: float, h: float) -> None:
    """A heavy bench for tools, with a board behind it."""
    for x in (-1, 1):
        for y in (-1, 1):
            k.box((x * (w / 2 - 0.06), y * (d / 2 - 0.06), 0), (0.09, 0.09, h - 0.05), "legs", 0.008)
    k.box((0, 0, h - 0.06), (w, d, 0.06), "main", 0.008)
    k.box((0, 0, 0.2), (w - 0.14, d - 0.14, 0.025), "legs", 0.005)
    k.box((0, -d / 2 + 0.012, h), (w, 0.02, 0.55), "board", 0.004)
    k.region("on", "workbench", (0, 0.02, h), (w - 0.1, d - 0.12, 0.5))
    k.region("under", "storage shelf", (0, 0, 0.225), (w - 0.3, d - 0.25, h - 0.4))


def ironing_board(k: Kit, w: float, d: float, h: float) -> None:
    """A padded board on crossed legs."""
    for y in (-0.06, 0.06):
        k.tube([(-w * 0.35, y, 0.012), (w * 0.28, y, h - 0.04)], 0.012, "legs")
        k.tube([(w * 0.35, y, 0.012), (-w * 0.28, y, h - 0.04)], 0.012, "legs")
    for x in (-0.35, 0.35):
        k.tube([(x * w, -d * 0.45, 0.012), (x * w, d * 0.45, 0.012)], 0.012, "legs")
    t = np.radians(np.linspace(-90, 90, 9))
    nose = [(w / 2 - 0.18 + 0.18 * np.cos(a), d / 2 * np.sin(a)) for a in t]
    k.prism((0, 0, h - 0.035), [*nose, (-w / 2, d / 2), (-w / 2, -d / 2)], 0.035, "main")
    k.region("on", "ironing board", (0, 0, h), (w * 0.6, d * 0.75, 0.5))
