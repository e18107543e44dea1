"""Small things that people carry, read, write with, play with and wash with."""

from __future__ import annotations

import numpy as np

from sim.house.shape import Kit


def book(k: Kit, w: float, d: float, h: float) -> None:
    """A closed book lying flat; its spine on the left."""
    for z in (0, h - 0.003):
        k.box((0, 0, z), (w, d, 0.003), "main", 0.001)
    k.box((-w / 2 + 0.002, 0, 0), (0.004, d, h), "main", 0.0015)
    k.box((0.002, 0, 0.003), (w - 0.008, d - 0.008, h - 0.006), "paper", 0.0)
    k.box((0.01, d * 0.12, h), (w * 0.6, d * 0.4, 0.0006), "print", 0.0002)


def book_row(k: Kit, w: float, d: float, h: float) -> None:
    """Books standing side by side, of many colours."""
    x, i = -w / 2, 0
    while x < w / 2 - 0.015:
        thick = min(float(k.rng.uniform(0.016, 0.042)), w / 2 - x)
        high, deep = h * float(k.rng.uniform(0.78, 1.0)), d * float(k.rng.uniform(0.85, 1.0))
        role = ("main", "second", "third", "fourth")[int(k.rng.integers(4))]
        k.box((x + thick / 2, (d - deep) / 2, 0), (thick - 0.0015, deep, high), role, 0.002)
        k.box((x + thick / 2, (d - deep) / 2 - 0.003, high - 0.001), (thick - 0.006, deep - 0.008, 0.002), "paper", 0.0)
        x, i = x + thick, i + 1


def magazine(k: Kit, w: float, d: float, h: float) -> None:
    """A thin printed booklet."""
    k.box((0, 0, 0), (w, d, h), "main", 0.001)
    k.box((0, -d * 0.08, h), (w * 0.9, d * 0.66, 0.0006), "print", 0.0002)
    k.box((0, d * 0.38, h), (w * 0.8, d * 0.12, 0.0006), "paper", 0.0002)


def vase(k: Kit, w: float, d: float, h: float) -> None:
    """A vase, mostly with flowers."""
    r = w / 2
    bulge = float(k.rng.uniform(0.25, 0.5))
    tall = h * 0.6
    rows = [
        (0, 0),
        (r * 0.55, 0),
        (r, tall * bulge),
        (r * 0.5, tall * 0.82),
        (r * 0.62, tall),
        (r * 0.55, tall),
        (r * 0.42, tall * 0.8),
        (0, tall * 0.5),
    ]
    k.lathe((0, 0, 0), rows, "main", 36)
    for i in range(int(k.rng.integers(3, 7))):
        with k.turned((0, 0, tall * 0.7), yaw_deg=77.0 * i):
            top = h * float(k.rng.uniform(0.75, 0.96)) - tall * 0.7
            k.tube([(0, 0, 0), (0.01, 0, top * 0.6), (0.035, 0, top)], 0.002, "leaf", 6)
            k.ball((0.037, 0, top), (0.02, 0.02, 0.016), "flower", segments=12)


def candle(k: Kit, w: float, d: float, h: float) -> None:
    """A candle on a dish."""
    r = w / 2
    k.lathe((0, 0, 0), [(0, 0), (r * 0.7, 0), (r, 0.012), (r, 0.016), (r * 0.65, 0.006), (0, 0.006)], "dish", 28)
    k.lathe(
        (0, 0, 0.006), [(0, 0), (r * 0.55, 0), (r * 0.55, h - 0.02), (r * 0.45, h - 0.014), (0, h - 0.018)], "main", 24
    )
    k.tube([(0, 0, h - 0.02), (0.001, 0, h)], 0.0015, "wick", 6)


def picture_frame(k: Kit, w: float, d: float, h: float) -> None:
    """A standing photograph."""
    with k.turned((0, d * 0.2, 0), pitch_deg=12):
        for x in (-1, 1):
            k.box((x * (w / 2 - 0.009), 0, 0), (0.018, 0.014, h), "main", 0.003)
        for z in (0, h - 0.018):
            k.box((0, 0, z), (w, 0.014, 0.018), "main", 0.003)
        k.box((0, 0, 0.008), (w - 0.02, 0.006, h - 0.016), "print", 0.0)
    k.tube([(0, 0, h * 0.6), (0, -d * 0.45, 0.003)], 0.004, "main", 6)


def pen_cup(k: Kit, w: float, d: float, h: float) -> None:
    """A cup with pens in it."""
    r = w / 2
    k.lathe((0, 0, 0), [(0, 0), (r, 0), (r, h * 0.6), (r - 0.004, h * 0.6), (r - 0.004, 0.005), (0, 0.005)], "main", 28)
    for i in range(5):
        a = 1.3 * i
        tip = (r * 0.8 * np.cos(a), r * 0.8 * np.sin(a), h * (0.85 + 0.03 * i))
        k.tube([(-tip[0] * 0.3, -tip[1] * 0.3, 0.008), tip], 0.0038, ("ink", "keys", "second")[i % 3], 7)


def scissors(k: Kit, w: float, d: float, h: float) -> None:
    """Scissors lying flat."""
    for s in (-1, 1):
        with k.turned((0, 0, 0), yaw_deg=8.0 * s):
            k.box((w * 0.22, 0, 0.002), (w * 0.55, 0.012, 0.003), "blade", 0.001)
            a = np.linspace(0, 2 * np.pi, 13)
            k.tube(
                [(-w * 0.3 + 0.025 * np.cos(t), s * -0.022 + 0.018 * np.sin(t), 0.005) for t in a], 0.0045, "main", 8
            )
            k.tube([(-0.03, 0, 0.004), (-w * 0.3 + 0.025, s * -0.012, 0.005)], 0.005, "main", 8)


def keys(k: Kit, w: float, d: float, h: float) -> None:
    """Keys on a ring with a fob."""
    a = np.linspace(0, 2 * np.pi, 15)
    k.tube([(0.013 * np.cos(t), 0.013 * np.sin(t), 0.004) for t in a], 0.0015, "blade", 6)
    for yaw in (-25.0, 20.0):
        with k.turned((0, 0, 0.002), yaw_deg=yaw):
            k.cylinder((0.028, 0, 0), 0.012, 0.0025, "blade", segments=16)
            k.box((0.055, 0, 0), (0.035, 0.006, 0.0025), "blade", 0.0)
            k.box((0.066, 0.004, 0), (0.01, 0.004, 0.0025), "blade", 0.0)
    k.box((-0.034, 0, 0), (0.04, 0.03, 0.008), "main", 0.003, 2)


def wallet(k: Kit, w: float, d: float, h: float) -> None:
    """A folded wallet."""
    for z in (0, h / 2):
        k.box((0, 0, z), (w, d, h * 0.47), "main", 0.004, 2)
    k.box((-w / 2 + 0.004, 0, 0), (0.008, d, h), "main", 0.004, 2)


def sunglasses(k: Kit, w: float, d: float, h: float) -> None:
    """Sunglasses with their arms out."""
    for x in (-1, 1):
        with k.turned((x * w * 0.25, d / 2 - 0.004, h * 0.5), pitch_deg=-90):
            k.lathe(
                (0, 0, -0.003), [(0, 0), (w * 0.2, 0), (w * 0.22, 0.003), (w * 0.2, 0.005), (0, 0.005)], "glass", 24
            )
        k.tube(
            [
                (x * w * 0.48, d / 2 - 0.004, h * 0.7),
                (x * w * 0.5, d * 0.2, h * 0.72),
                (x * w * 0.46, -d / 2, h * 0.25),
            ],
            0.003,
            "main",
            7,
        )
    k.tube([(-w * 0.06, d / 2, h * 0.6), (w * 0.06, d / 2, h * 0.6)], 0.003, "main", 7)


def handbag(k: Kit, w: float, d: float, h: float) -> None:
    """A bag with two handles."""
    body = h * 0.62
    k.ball((0, 0, body / 2), (w / 2, d / 2, body / 2), "main", 0.4, 28)
    k.box((0, 0, body * 0.86), (w * 0.5, d * 0.7, 0.02), "trim", 0.006)
    t = np.linspace(0, np.pi, 11)
    for y in (-1, 1):
        k.tube([(w * 0.25 * np.cos(a), y * d * 0.25, body * 0.9 + (h - body) * np.sin(a)) for a in t], 0.007, "trim", 8)


def backpack(k: Kit, w: float, d: float, h: float) -> None:
    """A rucksack with a front pocket."""
    k.ball((0, 0, h * 0.48), (w / 2, d * 0.38, h * 0.49), "main", 0.5, 28)
    k.ball((0, d * 0.3, h * 0.3), (w * 0.38, d * 0.22, h * 0.22), "trim", 0.5, 22)
    t = np.linspace(0, np.pi, 9)
    k.tube([(0.04 * np.cos(a), -d * 0.1, h * 0.94 + 0.04 * np.sin(a)) for a in t], 0.006, "trim", 8)
    for x in (-1, 1):
        k.tube(
            [(x * w * 0.25, -d * 0.3, h * 0.9), (x * w * 0.28, -d * 0.5, h * 0.6), (x * w * 0.32, -d * 0.35, h * 0.15)],
            0.013,
            "trim",
            8,
        )


def shoes(k: Kit, w: float, d: float, h: float) -> None:
    """A pair of shoes, toes to the front."""
    for x in (-1, 1):
        px, half = x * w * 0.26, w * 0.21
        k.box((px, 0, 0), (half * 2, d, h * 0.2), "sole", 0.015, 2)
        k.ball((px, d * 0.18, h * 0.32), (half * 0.96, d * 0.3, h * 0.32), "main", 0.7, 20)
        k.lathe(
            (px, -d * 0.2, h * 0.15),
            [(half * 0.95, 0), (half * 0.98, h * 0.5), (half * 0.8, h * 0.84), (half * 0.66, h * 0.8), (0, h * 0.5)],
            "main",
            22,
        )
        for i in range(3):
            k.cylinder_x((px, d * (0.04 + 0.08 * i), h * (0.68 - 0.04 * i)), 0.004, half * 1.1, "sole")


def hat(k: Kit, w: float, d: float, h: float) -> None:
    """A hat with a brim and a band."""
    r = w / 2
    k.lathe(
        (0, 0, 0),
        [(r * 0.5, 0), (r, 0.008), (r, 0.011), (r * 0.58, 0.012), (r * 0.52, h * 0.8), (r * 0.42, h), (0, h * 0.94)],
        "main",
        36,
    )
    k.lathe((0, 0, 0.012), [(r * 0.585, 0), (r * 0.57, h * 0.28)], "trim", 36)


def umbrella(k: Kit, w: float, d: float, h: float) -> None:
    """A closed umbrella lying along x."""
    with k.turned((-w / 2, 0, h / 2), roll_deg=90):
        k.lathe(
            (0, 0, w * 0.2),
            [(0, 0), (h * 0.5, 0.01), (h * 0.42, w * 0.3), (h * 0.15, w * 0.7), (0, w * 0.74)],
            "main",
            14,
        )
        k.cylinder((0, 0, w * 0.06), 0.005, w * 0.93, "trim", segments=10)
        k.cylinder((0, 0, 0), 0.013, w * 0.14, "trim", segments=14)


def towel(k: Kit, w: float, d: float, h: float) -> None:
    """A folded towel."""
    n = 3
    for i in range(n):
        k.box((0.003 * (i % 2), 0, i * h / n), (w - 0.008 * i, d - 0.01 * i, h / n - 0.001), "main", h / n * 0.45, 3)


def soap(k: Kit, w: float, d: float, h: float) -> None:
    """A bar of soap on a dish."""
    k.box((0, 0, 0), (w, d, h * 0.35), "dish", 0.006, 2)
    k.ball((0, 0, h * 0.62), (w * 0.38, d * 0.36, h * 0.38), "main", 0.5, 20)


def soap_dispenser(k: Kit, w: float, d: float, h: float) -> None:
    """A pump bottle."""
    r = w / 2
    k.lathe(
        (0, 0, 0),
        [(0, 0), (r - 0.004, 0), (r, 0.005), (r, h * 0.58), (r * 0.4, h * 0.68), (r * 0.4, h * 0.74), (0, h * 0.74)],
        "main",
        28,
    )
    k.tube([(0, 0, h * 0.72), (0, 0, h * 0.92)], 0.004, "cap", 8)
    k.tube([(0, -0.01, h * 0.95), (0, r * 1.3, h * 0.93), (0, r * 1.4, h * 0.88)], 0.006, "cap", 8)
    k.lathe((0, 0, 0), [(r + 0.0008, h * 0.14), (r + 0.0008, h * 0.46)], "label", 28)


def shampoo(k: Kit, w: float, d: float, h: float) -> None:
    """A flat bottle standing on its cap's wider end."""
    k.ball((0, 0, h * 0.44), (w / 2, d / 2, h * 0.44), "main", 0.45, 24)
    k.cylinder((0, 0, h * 0.84), w * 0.26, h * 0.16, "cap", w * 0.24)


def toothbrush_cup(k: Kit, w: float, d: float, h: float) -> None:
    """A tumbler with two toothbrushes."""
    r = w / 2
    k.lathe(
        (0, 0, 0),
        [(0, 0), (r * 0.85, 0), (r, h * 0.5), (r - 0.004, h * 0.5), (r * 0.82, 0.006), (0, 0.006)],
        "main",
        28,
    )
    for s, role in ((-1, "second"), (1, "third")):
        k.tube([(-s * r * 0.4, 0, 0.01), (s * r * 1.1, 0.01 * s, h * 0.9)], 0.004, role, 8)
        with k.turned((s * r * 1.05, 0.01 * s, h * 0.84), roll_deg=16 * s):
            k.box((0, 0.006, 0), (0.01, 0.012, h * 0.16), "bristle", 0.002)


def toothpaste(k: Kit, w: float, d: float, h: float) -> None:
    """A tube lying down."""
    k.tube(
        [(-w / 2, 0, h * 0.35), (-w * 0.1, 0, h * 0.42), (w * 0.3, 0, h * 0.5), (w * 0.36, 0, h * 0.5)],
        [h * 0.2, h * 0.38, h * 0.46, h * 0.3],
        "main",
        16,
    )
    k.box((-w / 2, 0, 0.001), (0.01, d, h * 0.5), "main", 0.002)
    k.tube([(w * 0.35, 0, h * 0.5), (w / 2, 0, h * 0.5)], h * 0.33, "cap", 14)


def toilet_roll(k: Kit, w: float, d: float, h: float) -> None:
    """A roll of toilet paper standing up."""
    r = w / 2
    k.lathe((0, 0, 0), [(0.02, 0), (r, 0), (r, h), (0.02, h), (0.02, 0)], "main", 32)
    k.lathe((0, 0, 0), [(0.021, h), (0.0195, h), (0.0195, 0.002)], "core", 24)


def tissue_box(k: Kit, w: float, d: float, h: float) -> None:
    """A box of tissues with one sticking out."""
    k.box((0, 0, 0), (w, d, h * 0.7), "main", 0.003)
    k.ball((0, 0, h * 0.72), (w * 0.16, d * 0.12, h * 0.28), "paper", 0.8, 14)


def hairbrush(k: Kit, w: float, d: float, h: float) -> None:
    """A hairbrush on its back."""
    k.tube([(-w / 2, 0, h * 0.4), (0, 0, h * 0.35)], [0.011, 0.008], "main", 12)
    k.ball((w * 0.25, 0, h * 0.35), (w * 0.26, d / 2, h * 0.3), "main", 0.8, 20)
    for i in range(5):
        for j in range(3):
            k.cylinder((w * (0.12 + 0.065 * i), (j - 1) * d * 0.25, h * 0.5), 0.0015, h * 0.5, "bristle", segments=6)
