"""Food, packages and small kitchen machines."""

from __future__ import annotations

import numpy as np

from sim.house.shape import Kit


def knife(k: Kit, w: float, d: float, h: float) -> None:
    """A kitchen knife lying on its side."""
    k.box((-w * 0.3, 0, 0), (w * 0.4, d * 0.6, h), "handle", 0.004, 2)
    k.prism(
        (0, 0, 0.003),
        [(-w * 0.1, -d / 2), (w * 0.38, -d / 2), (w / 2, -d * 0.2), (w * 0.3, d * 0.4), (-w * 0.1, d / 2)],
        0.003,
        "main",
    )


def fork(k: Kit, w: float, d: float, h: float) -> None:
    """A fork of four tines."""
    k.tube([(-w / 2, 0, 0.006), (-w * 0.1, 0, 0.004), (w * 0.18, 0, 0.012)], [0.005, 0.003, 0.005], "main")
    k.box((w * 0.22, 0, 0.009), (w * 0.1, d, 0.003), "main", 0.001)
    for i in range(4):
        y = (i - 1.5) * d * 0.28
        k.tube([(w * 0.26, y, 0.011), (w * 0.4, y, 0.008), (w / 2, y, 0.012)], [0.0022, 0.0022, 0.001], "main", 6)


def spoon(k: Kit, w: float, d: float, h: float) -> None:
    """A spoon."""
    k.tube([(-w / 2, 0, 0.006), (-w * 0.1, 0, 0.004), (w * 0.22, 0, 0.01)], [0.005, 0.003, 0.004], "main")
    k.ball((w * 0.36, 0, 0.009), (w * 0.15, d / 2, 0.006), "main", segments=14)


def jar(k: Kit, w: float, d: float, h: float) -> None:
    """A jar with a screw lid."""
    r = w / 2
    k.lathe(
        (0, 0, 0), [(0, 0), (r - 0.005, 0), (r, 0.008), (r, h * 0.7), (r * 0.82, h * 0.8), (0, h * 0.8)], "main", 30
    )
    k.lathe(
        (0, 0, h * 0.79), [(0, 0), (r * 0.88, 0), (r * 0.88, h * 0.2), (r * 0.84, h * 0.21), (0, h * 0.21)], "cap", 30
    )
    k.lathe((0, 0, 0), [(r + 0.0008, h * 0.16), (r + 0.0008, h * 0.55)], "label", 30)


def can(k: Kit, w: float, d: float, h: float) -> None:
    """A tin with a label."""
    r = w / 2
    k.lathe(
        (0, 0, 0),
        [
            (0, 0.003),
            (r - 0.004, 0),
            (r, 0.003),
            (r, h - 0.003),
            (r - 0.003, h),
            (r - 0.005, h - 0.004),
            (0, h - 0.004),
        ],
        "metal",
        30,
    )
    k.lathe((0, 0, 0), [(r + 0.0008, h * 0.07), (r + 0.0008, h * 0.93)], "main", 30)


def packet(k: Kit, w: float, d: float, h: float) -> None:
    """A box of cereals: printed front and back."""
    k.box((0, 0, 0), (w, d, h), "main", 0.002)
    for y in (-1, 1):
        k.box((0, y * d / 2, h * 0.12), (w * 0.86, 0.001, h * 0.55), "print", 0.0003)
        k.box((0, y * d / 2, h * 0.74), (w * 0.7, 0.001, h * 0.14), "label", 0.0003)


def milk_carton(k: Kit, w: float, d: float, h: float) -> None:
    """A carton with a gable."""
    k.box((0, 0, 0), (w, d, h * 0.8), "main", 0.002)
    k.box((0, 0, h * 0.25), (w + 0.001, d + 0.001, h * 0.28), "label", 0.001)
    lean = float(np.degrees(np.arctan2(d / 2, h * 0.12)))
    for s in (-1, 1):
        with k.turned((0, s * d / 2, h * 0.79), pitch_deg=s * lean):
            k.box((0, 0, 0), (w, 0.003, float(np.hypot(d / 2, h * 0.12))), "main", 0.001)
    k.box((0, 0, h * 0.9), (w, 0.005, h * 0.1), "main", 0.001)
    with k.turned((0, d * 0.27, h * 0.84), pitch_deg=lean - 90.0):
        k.cylinder((0, 0, 0), 0.012, 0.02, "cap", segments=16)


def fruit(k: Kit, w: float, d: float, h: float) -> None:
    """An apple, an orange, a lemon: by its proportions."""
    rows = [
        (np.sin(a) * (1 + 0.10 * np.cos(a)), -np.cos(a) + 0.14 * np.exp(-((np.pi - a) ** 2) * 9))
        for a in np.linspace(0, np.pi, 15)
    ]
    k.lathe((0, 0, h * 0.47), [(x * w / 2, z * h / 2 * 0.93) for x, z in rows][:-1] + [(0, h * 0.36)], "main", 24)
    k.tube([(0, 0, h * 0.83), (0.002, 0.001, h)], 0.0018, "stalk", 6)


def pear(k: Kit, w: float, d: float, h: float) -> None:
    """A pear."""
    r = w / 2
    k.lathe(
        (0, 0, 0),
        [
            (0, 0.002),
            (r * 0.5, 0),
            (r * 0.9, h * 0.14),
            (r, h * 0.3),
            (r * 0.8, h * 0.5),
            (r * 0.45, h * 0.72),
            (r * 0.35, h * 0.84),
            (0, h * 0.9),
        ],
        "main",
        24,
    )
    k.tube([(0, 0, h * 0.88), (0.004, 0, h)], 0.002, "stalk", 6)


def banana(k: Kit, w: float, d: float, h: float) -> None:
    """Two bananas lying side by side."""
    t = np.linspace(-1, 1, 9)
    for i in range(2):
        path = [(w * 0.48 * a, d * (0.42 - 0.75 * (1 - a * a)) + i * 0.03, h * (0.5 - 0.1 * i)) for a in t]
        k.tube(path, [0.006, 0.013, 0.017, 0.018, 0.0185, 0.018, 0.017, 0.012, 0.005], "main", 10)
    k.ball((w * 0.48, d * 0.44, h * 0.45), (0.008, 0.02, 0.008), "stalk", segments=10)


def bread(k: Kit, w: float, d: float, h: float) -> None:
    """A loaf."""
    k.ball((0, 0, h * 0.45), (w / 2, d / 2, h * 0.55), "main", 0.6, 26)
    for i in range(3):
        with k.turned(((i - 1) * w * 0.22, 0, h * 0.96), yaw_deg=20):
            k.box((0, 0, 0), (0.012, d * 0.6, 0.006), "stalk", 0.003)


def toaster(k: Kit, w: float, d: float, h: float) -> None:
    """A toaster for two slices."""
    k.box((0, 0, 0.012), (w, d, h - 0.012), "main", 0.03, 3)
    k.box((0, 0, 0), (w - 0.03, d - 0.03, 0.02), "handle", 0.004)
    for y in (-1, 1):
        k.box((0, y * d * 0.18, h - 0.004), (w * 0.7, 0.026, 0.006), "handle", 0.002)
    k.box((w / 2 + 0.008, 0, h * 0.6), (0.02, 0.035, 0.012), "handle", 0.004)


def coffee_machine(k: Kit, w: float, d: float, h: float) -> None:
    """A filter machine with its jug."""
    k.box((0, 0, 0), (w, d, 0.035), "main", 0.01, 2)
    k.box((0, -d * 0.3, 0.03), (w, d * 0.36, h - 0.04), "main", 0.015, 2)
    k.box((0, 0, h - 0.1), (w, d, 0.1), "main", 0.02, 3)
    r = w * 0.33
    k.lathe(
        (0, d * 0.16, 0.036), [(0, 0), (r, 0), (r * 1.05, h * 0.2), (r * 0.75, h * 0.42), (0, h * 0.44)], "glass", 28
    )
    k.tube(
        [(r * 0.9, d * 0.2, 0.05 + h * 0.36), (r * 1.5, d * 0.26, 0.04 + h * 0.3), (r * 1.3, d * 0.24, 0.06)],
        0.007,
        "handle",
    )


def microwave(k: Kit, w: float, d: float, h: float) -> None:
    """A microwave oven."""
    k.box((0, 0, 0.01), (w, d, h - 0.01), "main", 0.01, 2)
    k.box((-w * 0.12, d / 2, 0.035), (w * 0.68, 0.012, h - 0.06), "glass", 0.004)
    k.box((w * 0.21, d / 2 + 0.02, 0.04), (0.018, 0.02, h - 0.08), "handle", 0.006)
    k.box((w * 0.37, d / 2 + 0.002, h * 0.68), (w * 0.17, 0.004, h * 0.14), "glass", 0.001)
    for i in range(2):
        with k.turned((w * 0.37, d / 2, h * (0.25 + 0.24 * i)), pitch_deg=-90):
            k.cylinder((0, 0, 0), 0.022, 0.018, "handle", segments=18)
    k.region("on", "fridge top", (0, 0, h), (w - 0.1, d - 0.1, 0.3))
