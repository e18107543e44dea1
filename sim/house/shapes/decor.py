"""What makes rooms lived in: lamps, plants, screens, pictures, instruments, carpets."""

from __future__ import annotations

import numpy as np

from sim.house.materials import COLOURS, Material, Pattern, mixed
from sim.house.shape import Kit


def _picture(k: Kit, scale_m: float, glow: float = 0.0) -> Material:
    """A printed surface of two colours."""
    names = list(COLOURS)
    a, b = (COLOURS[str(n)] for n in k.rng.choice(names, 2, replace=False))
    return Material(Pattern.PRINT, mixed(a, (1, 1, 1), 0.15), b, scale_m, 0.05, 1, int(k.rng.integers(1 << 16)), glow)


def television(k: Kit, w: float, d: float, h: float) -> None:
    """A flat screen on a foot."""
    k.box((0, 0, 0), (w * 0.35, d, 0.012), "main", 0.004)
    k.box((0, 0, 0.01), (0.06, 0.03, 0.09), "main", 0.004)
    k.box((0, 0, 0.07), (w, 0.04, h - 0.07), "main", 0.008, 2)
    k.box((0, 0.0205, 0.085), (w - 0.03, 0.004, h - 0.1), "screen", 0.001)


def floor_lamp(k: Kit, w: float, d: float, h: float) -> None:
    """A shade on a pole."""
    k.lathe(
        (0, 0, 0),
        [(0, 0), (0.13, 0), (0.135, 0.012), (0.05, 0.025), (0.013, 0.03), (0.012, h - 0.2), (0, h - 0.2)],
        "pole",
        28,
    )
    r = w / 2
    k.lathe((0, 0, h - 0.3), [(r, 0), (r * 0.72, 0.3), (r * 0.70, 0.3), (r * 0.98, 0)], "main", 36)
    k.ball((0, 0, h - 0.17), (0.04, 0.04, 0.05), "bulb")


def desk_lamp(k: Kit, w: float, d: float, h: float) -> None:
    """A lamp with a bent arm."""
    k.lathe((0, 0, 0), [(0, 0), (w * 0.5, 0), (w * 0.5, 0.012), (0.015, 0.022), (0, 0.022)], "main", 24)
    k.tube([(0, 0, 0.02), (0, -d * 0.35, h * 0.55), (0, d * 0.1, h - 0.03)], 0.007, "pole")
    with k.turned((0, d * 0.16, h - 0.07), pitch_deg=-25):
        k.lathe((0, 0, 0), [(w * 0.42, 0), (w * 0.2, 0.07), (0, 0.085)], "main", 24)
        k.lathe((0, 0, 0), [(0, 0.05), (w * 0.2, 0.05), (w * 0.41, 0.001)], "bulb", 24)


def table_lamp(k: Kit, w: float, d: float, h: float) -> None:
    """A turned foot under a shade."""
    r = w / 2
    k.lathe(
        (0, 0, 0),
        [
            (0, 0),
            (r * 0.55, 0),
            (r * 0.6, 0.02),
            (r * 0.3, 0.05),
            (r * 0.55, h * 0.25),
            (r * 0.2, h * 0.48),
            (0.01, h * 0.7),
            (0, h * 0.7),
        ],
        "pole",
        28,
    )
    k.lathe((0, 0, h * 0.52), [(r, 0), (r * 0.68, h * 0.48), (r * 0.66, h * 0.48), (r * 0.98, 0)], "main", 32)
    k.ball((0, 0, h * 0.72), (0.025, 0.025, 0.035), "bulb", segments=12)


def ceiling_lamp(k: Kit, w: float, d: float, h: float) -> None:
    """A shade hanging from the ceiling; its top is at height h."""
    r = w / 2
    k.cylinder((0, 0, h - 0.025), 0.05, 0.025, "pole")
    k.tube([(0, 0, h * 0.45), (0, 0, h - 0.01)], 0.004, "pole")
    k.lathe((0, 0, 0), [(r, 0), (r * 0.8, h * 0.25), (r * 0.25, h * 0.48), (0, h * 0.5)], "main", 36)
    k.lathe((0, 0, 0), [(0, h * 0.44), (r * 0.22, h * 0.44), (r * 0.98, 0.002)], "main", 36)
    k.ball((0, 0, h * 0.22), (0.05, 0.05, 0.05), "bulb")


def plant(k: Kit, w: float, d: float, h: float) -> None:
    """A pot with long leaves; small ones stand on tables."""
    pot_h, r = min(h * 0.3, 0.34), w * 0.3
    k.lathe(
        (0, 0, 0),
        [(0, 0), (r * 0.72, 0), (r, pot_h - 0.02), (r * 1.05, pot_h - 0.02), (r * 1.05, pot_h), (r * 0.92, pot_h)],
        "main",
        28,
    )
    k.lathe((0, 0, 0), [(r * 0.95, pot_h * 0.88), (0, pot_h * 0.9)], "soil", 28)
    leaves = int(np.clip(14 * (w / 0.3) ** 0.5, 10, 26))
    t = np.linspace(0, 1, 7)
    for i in range(leaves):
        yaw, tall = 360.0 * i / leaves * 2.4 + k.rng.uniform(-15, 15), k.rng.uniform(0.55, 1.0) * (h - pot_h)
        reach = w / 2 * k.rng.uniform(0.45, 0.97)
        with k.turned((0, 0, pot_h * 0.9), yaw_deg=yaw):
            path = np.stack([reach * t**1.5, 0 * t, tall * (1.25 * t - 0.25 * t**3 * (1 + reach / tall))], axis=1)
            k.leaf(path, 0.028 * (h / 1.0) ** 0.4 + 0.02 * w, "leaf")


def rug(k: Kit, w: float, d: float, h: float) -> None:
    """A carpet with a border, flat enough to walk on."""
    k.box((0, 0, 0), (w, d, 0.010), "border", 0.004)
    k.box((0, 0, 0.006), (w - 0.16, d - 0.16, 0.007), "main", 0.003)


def round_rug(k: Kit, w: float, d: float, h: float) -> None:
    """A round carpet."""
    k.lathe((0, 0, 0), [(0, 0), (w / 2, 0), (w / 2, 0.008), (w / 2 - 0.09, 0.011), (0, 0.011)], "main", 56)


def painting(k: Kit, w: float, d: float, h: float) -> None:
    """A framed picture on a wall."""
    for x in (-1, 1):
        k.box((x * (w / 2 - 0.015), 0, 0), (0.03, d, h), "main", 0.005)
    for z in (0, h - 0.03):
        k.box((0, 0, z), (w, d, 0.03), "main", 0.005)
    k.give("mat", Material(Pattern.PLAIN, (0.9, 0.88, 0.83), (0.85, 0.84, 0.8), 0.1))
    k.give("print", _picture(k, k.rng.uniform(0.08, 0.25)))
    k.box((0, -0.004, 0.02), (w - 0.03, d * 0.4, h - 0.04), "mat", 0.001)
    k.box((0, 0.002, 0.07), (w - 0.14, d * 0.4, h - 0.14), "print", 0.001)


def mirror(k: Kit, w: float, d: float, h: float) -> None:
    """A framed mirror; it shows a plain bright sheen, not the room."""
    k.box((0, 0, 0), (w, d, h), "main", 0.01)
    k.box((0, d / 2, 0.025), (w - 0.05, 0.004, h - 0.05), "glass", 0.001)


def clock(k: Kit, w: float, d: float, h: float) -> None:
    """A round wall clock."""
    r = w / 2
    with k.turned((0, -d / 2, r), pitch_deg=-90):
        k.lathe((0, 0, 0), [(0, 0), (r, 0), (r, d), (r - 0.015, d), (r - 0.018, d * 0.6), (0, d * 0.6)], "main", 40)
        k.lathe((0, 0, d * 0.6), [(r - 0.018, 0), (r - 0.018, 0.002), (0, 0.002)], "face", 36)
    hour = k.rng.uniform(0, 360)
    for angle, length in ((hour, 0.5), ((hour * 12) % 360, 0.78)):
        with k.turned((0, -d / 2 + d * 0.6 + 0.004, r), roll_deg=angle):
            k.box((0, 0, -0.01), (0.008, 0.003, r * length), "hands", 0.001)


def curtain(k: Kit, w: float, d: float, h: float) -> None:
    """Two drawn-back curtains on a rod, in folds."""
    k.cylinder_x((0, 0, h - 0.02), 0.012, w, "pole")
    wide = w * 0.2
    folds = max(4, round(wide / 0.055))
    for x in (-1, 1):
        for i in range(folds):
            px = x * (w / 2 - 0.03 - (i + 0.5) * wide / folds)
            k.box((px, 0.012 * (-1) ** i, 0), (wide / folds + 0.012, 0.035, h - 0.03), "main", 0.016, 2)


def radiator(k: Kit, w: float, d: float, h: float) -> None:
    """A ribbed radiator under a window."""
    n = max(5, round(w / 0.07))
    for i in range(n):
        k.box(((i + 0.5) * w / n - w / 2, 0, 0.1), (w / n - 0.016, d * 0.7, h - 0.1), "main", 0.012, 2)
    for z in (0.15, h - 0.06):
        k.cylinder_x((0, -0.01, z), 0.016, w - 0.03, "main")


def piano(k: Kit, w: float, d: float, h: float) -> None:
    """An upright piano."""
    k.box((0, -d * 0.22, 0), (w, d * 0.55, h - 0.02), "main", 0.008, 2)
    k.box((0, -d * 0.2, h - 0.025), (w + 0.03, d * 0.6, 0.025), "main", 0.008)
    k.box((0, d * 0.22, 0.62), (w, d * 0.5, 0.06), "main", 0.008)
    for x in (-1, 1):
        k.box((x * (w / 2 - 0.05), d * 0.36, 0), (0.07, 0.07, 0.64), "main", 0.01)
        k.box((x * (w / 2 - 0.03), d * 0.2, 0.67), (0.06, d * 0.48, 0.09), "main", 0.01)
    keys = round((w - 0.14) / 0.0235)
    for i in range(keys):
        x = (i + 0.5) * (w - 0.14) / keys - (w - 0.14) / 2
        k.box((x, d * 0.31, 0.68), (0.021, 0.14, 0.02), "keys", 0.002)
        if i % 7 in (0, 1, 3, 4, 5):
            k.box((x + 0.0118, d * 0.275, 0.69), (0.011, 0.09, 0.02), "black keys", 0.002)
    with k.turned((0, d * 0.07, 0.78), pitch_deg=-12):
        k.box((0, 0, 0), (w * 0.5, 0.012, 0.22), "main", 0.003)
    k.region("on", "piano", (0, -d * 0.2, h), (w - 0.2, d * 0.4, 0.5))


def exercise_bike(k: Kit, w: float, d: float, h: float) -> None:
    """A bicycle that goes nowhere; it looks along +y."""
    for y in (-0.42, 0.42):
        k.tube([(-w / 2, y * d, 0.025), (w / 2, y * d, 0.025)], 0.025, "frame")
    k.tube([(0, -0.42 * d, 0.04), (0, -0.05 * d, 0.3), (0, 0.42 * d, 0.04)], 0.028, "frame")
    with k.turned((0.03, 0.18 * d, 0.34), roll_deg=90):
        k.lathe((0, 0, -0.03), [(0, 0), (0.22, 0), (0.23, 0.01), (0.23, 0.05), (0.22, 0.06), (0, 0.06)], "main", 36)
    k.tube([(0, -0.05 * d, 0.3), (0, -0.2 * d, h * 0.72)], 0.022, "frame")
    k.tube([(0, 0.05 * d, 0.3), (0, 0.2 * d, h * 0.85), (0, 0.17 * d, h)], 0.022, "frame")
    k.box((0, -0.22 * d, h * 0.71), (0.2, 0.26, 0.07), "seat", 0.03, 3)
    k.tube(
        [
            (-w * 0.45, 0.1 * d, h - 0.02),
            (-w * 0.2, 0.2 * d, h - 0.04),
            (w * 0.2, 0.2 * d, h - 0.04),
            (w * 0.45, 0.1 * d, h - 0.02),
        ],
        0.014,
        "seat",
    )
    k.box((0, 0.19 * d, h), (0.18, 0.03, 0.12), "seat", 0.01)
    for x in (-1, 1):
        k.tube([(x * 0.05, -0.02 * d, 0.3), (x * 0.09, -0.02 * d + x * 0.12, 0.3 + 0.1 * x)], 0.012, "seat")
        k.box((x * 0.13, -0.02 * d + x * 0.12, 0.29 + 0.1 * x), (0.09, 0.07, 0.025), "seat", 0.008)


def treadmill(k: Kit, w: float, d: float, h: float) -> None:
    """A running belt with rails and a console."""
    k.box((0, 0, 0.02), (w, d, 0.12), "frame", 0.02, 2)
    k.box((0, -0.05, 0.135), (w - 0.18, d - 0.25, 0.012), "belt", 0.004)
    for x in (-1, 1):
        k.tube([(x * (w / 2 - 0.04), d * 0.3, 0.1), (x * (w / 2 - 0.04), d * 0.42, h - 0.08)], 0.025, "frame")
        k.tube([(x * (w / 2 - 0.04), d * 0.41, h - 0.12), (x * (w / 2 - 0.04), d * 0.1, h - 0.22)], 0.018, "belt")
    with k.turned((0, d * 0.42, h - 0.14), pitch_deg=30):
        k.box((0, 0, 0), (w - 0.02, 0.05, 0.22), "main", 0.015, 2)


def fireplace(k: Kit, w: float, d: float, h: float) -> None:
    """A mantelpiece around a dark hearth."""
    for x in (-1, 1):
        k.box((x * (w / 2 - 0.13), 0, 0), (0.26, d, h - 0.08), "main", 0.01)
    k.box((0, 0, h - 0.38), (w - 0.4, d - 0.02, 0.3), "main", 0.008)
    k.box((0, 0.02, h - 0.08), (w + 0.12, d + 0.06, 0.08), "shelf", 0.015, 2)
    k.box((0, -d / 2 + 0.03, 0), (w - 0.5, 0.05, h - 0.36), "hearth", 0.004)
    k.box((0, 0.02, 0), (w - 0.5, d - 0.06, 0.04), "hearth", 0.004)
    for i in range(3):
        k.tube([(-0.2, -0.06 + 0.07 * i, 0.08), (0.2, -0.06 + 0.07 * i, 0.08 + 0.03 * (i == 1))], 0.038, "logs", 12)
    k.region("on", "mantel", (0, 0.02, h), (w - 0.1, d - 0.08, 0.5))
