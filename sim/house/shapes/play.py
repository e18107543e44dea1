"""Toys, tools, sports things, lamps and boxes."""

from __future__ import annotations

import numpy as np

from sim.house.shape import Kit


def teddy_bear(k: Kit, w: float, d: float, h: float) -> None:
    """A sitting bear."""
    k.ball((0, 0, h * 0.32), (w * 0.36, d * 0.36, h * 0.32), "main", segments=24)
    k.ball((0, d * 0.05, h * 0.74), (w * 0.3, d * 0.32, h * 0.22), "main", segments=24)
    k.ball((0, d * 0.34, h * 0.69), (w * 0.13, d * 0.12, h * 0.08), "muzzle", segments=14)
    k.ball((0, d * 0.45, h * 0.72), (w * 0.04, d * 0.03, h * 0.025), "eyes", segments=8)
    for x in (-1, 1):
        k.ball((x * w * 0.24, 0, h * 0.92), (w * 0.11, d * 0.06, h * 0.09), "main", segments=14)
        k.ball((x * w * 0.1, d * 0.34, h * 0.79), (w * 0.025, d * 0.02, h * 0.022), "eyes", segments=8)
        k.tube([(x * w * 0.3, 0, h * 0.5), (x * w * 0.44, d * 0.2, h * 0.3)], [w * 0.11, w * 0.09], "main", 12)
        k.ball((x * w * 0.44, d * 0.22, h * 0.28), (w * 0.1, w * 0.1, w * 0.1), "main", segments=12)
        k.tube([(x * w * 0.2, d * 0.1, h * 0.12), (x * w * 0.3, d * 0.42, h * 0.1)], [w * 0.13, w * 0.12], "main", 12)
        k.ball((x * w * 0.3, d * 0.43, h * 0.11), (w * 0.13, w * 0.07, w * 0.14), "muzzle", segments=14)


def football(k: Kit, w: float, d: float, h: float) -> None:
    """A ball."""
    k.ball((0, 0, w / 2), (w / 2, w / 2, w / 2), "main", segments=32)


def toy_car(k: Kit, w: float, d: float, h: float) -> None:
    """A toy car that drives along +y."""
    k.box((0, 0, h * 0.2), (w * 0.9, d, h * 0.42), "main", 0.012, 2)
    k.box((0, -d * 0.06, h * 0.55), (w * 0.78, d * 0.5, h * 0.42), "main", 0.014, 2)
    k.box((0, -d * 0.06, h * 0.62), (w * 0.8, d * 0.44, h * 0.22), "glass", 0.004)
    for x in (-1, 1):
        for y in (-1, 1):
            with k.turned((x * w * 0.36, y * d * 0.3, h * 0.2), roll_deg=90 * x):
                k.cylinder((0, 0, 0), h * 0.2, w * 0.14, "wheels", segments=20)


def toy_blocks(k: Kit, w: float, d: float, h: float) -> None:
    """A heap of building blocks."""
    s = w / 3.2
    spots = [
        (-1.05, 0.2, 0, 10),
        (0.05, 0, 0, -8),
        (1.1, 0.3, 0, 30),
        (-0.45, 0.1, 1, 20),
        (0.55, 0.1, 1, -15),
        (0.1, 0.05, 2, 40),
        (0.4, -1.15, 0, 50),
    ]
    for i, (x, y, level, yaw) in enumerate(spots):
        with k.turned((x * s, y * s, level * s), yaw_deg=yaw):
            k.box((0, 0, 0), (s * 0.94, s * 0.94, s * 0.97), ("main", "second", "third", "fourth")[i % 4], 0.004, 2)


def puzzle_cube(k: Kit, w: float, d: float, h: float) -> None:
    """A cube of 27 coloured stones."""
    roles = ("main", "second", "third", "fourth", "fifth", "paper")
    k.box((0, 0, 0.001), (w * 0.98, w * 0.98, w * 0.98), "black", 0.003)
    s = w / 3
    for face in range(6):
        for a in (-1, 0, 1):
            for b in (-1, 0, 1):
                at, size = np.zeros(3), np.full(3, s * 0.84)
                axis, sign = face // 2, 1 if face % 2 else -1
                at[axis], at[(axis + 1) % 3], at[(axis + 2) % 3] = sign * w * 0.49, a * s, b * s
                size[axis] = 0.003
                role = roles[int(k.rng.integers(6))]
                k.box((at[0], at[1], at[2] + w / 2 - size[2] / 2), size, role, 0.001)


def guitar(k: Kit, w: float, d: float, h: float) -> None:
    """A guitar leaning on a small stand."""
    with k.turned((0, -d * 0.1, 0.05), pitch_deg=8):
        with k.turned((0, 0, 0), pitch_deg=90):
            for y, r in ((w * 0.5, 0.5), (w * 1.05, 0.37)):
                k.cylinder((0, y, -0.045), w * r, 0.09, "main", segments=40)
            k.cylinder((0, w * 0.85, -0.0485), w * 0.14, 0.003, "fret", segments=24)
        k.box((0, 0.0, w * 1.2), (0.05, 0.022, h - w * 1.4), "fret", 0.006)
        k.box((0, -0.008, h - 0.2), (0.065, 0.018, 0.14), "fret", 0.006)
        k.box((0, 0.048, w * 0.4), (w * 0.35, 0.01, 0.025), "fret", 0.003)
        for i in range(6):
            k.tube([((i - 2.5) * 0.008, 0.054, w * 0.41), ((i - 2.5) * 0.006, 0.014, h - 0.18)], 0.0007, "strings", 5)
    for x in (-1, 1):
        k.tube([(x * w * 0.4, d * 0.35, 0.01), (x * w * 0.25, 0, 0.1), (x * w * 0.3, -d * 0.45, 0.01)], 0.01, "strings")


def dumbbell(k: Kit, w: float, d: float, h: float) -> None:
    """A dumbbell lying along x."""
    k.cylinder_x((0, 0, h / 2), 0.014, w, "bar")
    for x in (-1, 1):
        with k.turned((x * w * 0.36, 0, h / 2), roll_deg=90):
            k.lathe(
                (0, 0, -w * 0.12),
                [(0, 0), (h * 0.42, 0), (h / 2, 0.012), (h / 2, w * 0.2), (h * 0.42, w * 0.24), (0, w * 0.24)],
                "main",
                8,
            )


def yoga_mat(k: Kit, w: float, d: float, h: float) -> None:
    """A rolled mat lying along x."""
    with k.turned((-w / 2, 0, h / 2), roll_deg=90):
        r = h / 2
        k.lathe((0, 0, 0), [(0.012, 0), (r, 0), (r, w), (0.012, w)], "main", 32)
        for t in (0.25, 0.75):
            k.lathe((0, 0, w * t), [(r + 0.002, 0), (r + 0.002, 0.03)], "band", 32)


def watering_can(k: Kit, w: float, d: float, h: float) -> None:
    """A can with spout and handle."""
    r = d / 2
    k.lathe(
        (-w * 0.18, 0, 0),
        [(0, 0), (r, 0), (r * 0.9, h * 0.7), (r * 0.85, h * 0.7), (r * 0.8, h * 0.6), (0, h * 0.58)],
        "main",
        32,
    )
    k.tube(
        [(-w * 0.18 + r * 0.8, 0, h * 0.15), (w * 0.2, 0, h * 0.55), (w * 0.42, 0, h * 0.85)],
        [0.02, 0.014, 0.011],
        "main",
        12,
    )
    with k.turned((w * 0.42, 0, h * 0.84), roll_deg=45):
        k.lathe((0, 0, 0), [(0.011, 0), (0.035, 0.03), (0, 0.036)], "main", 20)
    t = np.linspace(0, np.pi, 11)
    k.tube([(-w * 0.18 + r * 0.95 * np.cos(a), 0, h * 0.66 + h * 0.32 * np.sin(a)) for a in t], 0.008, "main", 10)


def hammer(k: Kit, w: float, d: float, h: float) -> None:
    """A hammer lying down."""
    k.tube([(-w / 2, 0, h * 0.5), (w * 0.4, 0, h * 0.5)], [0.015, 0.011], "main", 12)
    k.box((w * 0.42, 0, h * 0.5 - 0.013), (0.028, d * 0.7, 0.026), "head", 0.005, 2)
    k.tube([(w * 0.42, d * 0.3, h * 0.5), (w * 0.42, d / 2, h * 0.5)], 0.016, "head", 14)


def screwdriver(k: Kit, w: float, d: float, h: float) -> None:
    """A screwdriver lying down."""
    with k.turned((-w / 2, 0, h / 2), roll_deg=90):
        r = h / 2
        k.lathe(
            (0, 0, 0),
            [(0, 0), (r * 0.8, 0), (r, 0.015), (r * 0.75, w * 0.12), (r, w * 0.3), (r * 0.6, w * 0.42), (0, w * 0.42)],
            "main",
            12,
        )
        k.cylinder((0, 0, w * 0.4), 0.0035, w * 0.6, "head", segments=10)


def torch_light(k: Kit, w: float, d: float, h: float) -> None:
    """A torch lying along x."""
    with k.turned((-w / 2, 0, h / 2), roll_deg=90):
        r = h / 2
        k.lathe(
            (0, 0, 0), [(0, 0), (r * 0.68, 0.002), (r * 0.68, w * 0.7), (r, w * 0.82), (r, w), (r * 0.9, w)], "main", 26
        )
        k.lathe((0, 0, w - 0.004), [(r * 0.9, 0), (0, 0.001)], "glass", 24)
    k.box((0, 0, h * 0.8), (0.025, 0.012, 0.008), "band", 0.003)


def toolbox(k: Kit, w: float, d: float, h: float) -> None:
    """A tool box with a handle."""
    k.box((0, 0, 0), (w, d, h * 0.6), "main", 0.008, 2)
    k.box((0, 0, h * 0.6), (w * 1.01, d * 1.01, h * 0.18), "band", 0.012, 2)
    k.tube(
        [(-w * 0.25, 0, h * 0.76), (-w * 0.22, 0, h * 0.96), (w * 0.22, 0, h * 0.96), (w * 0.25, 0, h * 0.76)],
        0.01,
        "band",
        10,
    )
    for x in (-1, 1):
        k.box((x * w * 0.3, d / 2, h * 0.5), (0.04, 0.012, 0.06), "head", 0.003)


def iron(k: Kit, w: float, d: float, h: float) -> None:
    """A flat iron, its tip along +x."""
    k.prism(
        (0, 0, 0), [(-w / 2, -d / 2), (w * 0.1, -d / 2), (w / 2, 0), (w * 0.1, d / 2), (-w / 2, d / 2)], 0.012, "head"
    )
    k.prism(
        (0, 0, 0.012),
        [(-w * 0.46, -d * 0.42), (w * 0.08, -d * 0.42), (w * 0.42, 0), (w * 0.08, d * 0.42), (-w * 0.46, d * 0.42)],
        h * 0.4,
        "main",
    )
    k.tube(
        [(w * 0.12, 0, h * 0.45), (w * 0.05, 0, h * 0.9), (-w * 0.35, 0, h * 0.92), (-w * 0.42, 0, h * 0.4)],
        0.014,
        "band",
        10,
    )


def cardboard_box(k: Kit, w: float, d: float, h: float) -> None:
    """A closed box with tape along its top."""
    k.box((0, 0, 0), (w, d, h), "main", 0.003)
    k.box((0, 0, h), (w, 0.05, 0.001), "band", 0.0)
    k.region("on", "box", (0, 0, h + 0.001), (w * 0.7, d * 0.7, 0.3))


def storage_bin(k: Kit, w: float, d: float, h: float) -> None:
    """An open crate to keep things in."""
    t = 0.008
    k.box((0, 0, 0), (w - 0.02, d - 0.02, 0.012), "main", 0.004)
    for x in (-1, 1):
        k.box((x * (w / 2 - t / 2), 0, 0), (t, d, h), "main", 0.003)
    for y in (-1, 1):
        k.box((0, y * (d / 2 - t / 2), 0), (w, t, h), "main", 0.003)
        k.box((0, y * (d / 2 + 0.002), h - 0.03), (w * 0.4, 0.014, 0.016), "main", 0.005)
    k.region("in", "crate", (0, 0, 0.013), (w - 0.05, d - 0.05, 0.3))


def basket(k: Kit, w: float, d: float, h: float) -> None:
    """A low round basket with two handles."""
    r = w / 2
    k.lathe(
        (0, 0, 0),
        [(0, 0), (r * 0.82, 0), (r, h * 0.75), (r * 1.02, h * 0.8), (r * 0.95, h * 0.8), (r * 0.78, 0.012), (0, 0.012)],
        "main",
        36,
    )
    t = np.linspace(0, np.pi, 9)
    for x in (-1, 1):
        k.tube([(x * r * 0.98, 0.05 * np.cos(a), h * 0.76 + h * 0.22 * np.sin(a)) for a in t], 0.008, "main", 8)
    k.region("in", "crate", (0, 0, 0.014), (w * 0.55, w * 0.55, 0.3))


def globe(k: Kit, w: float, d: float, h: float) -> None:
    """A globe on a foot."""
    r = w * 0.45
    k.lathe(
        (0, 0, 0),
        [(0, 0), (r * 0.7, 0), (r * 0.7, 0.012), (0.015, 0.03), (0.01, h - 2 * r - 0.01), (0, h - 2 * r)],
        "band",
        28,
    )
    k.ball((0, 0, h - r), (r, r, r), "main", segments=32)
    t = np.linspace(-np.pi / 2, np.pi / 2, 11)
    k.tube([(r * 1.06 * np.cos(a), 0, h - r + r * 1.04 * np.sin(a)) for a in t], 0.006, "band", 8)


def throw_pillow(k: Kit, w: float, d: float, h: float) -> None:
    """A cushion lying flat."""
    k.cushion((0, 0, 0), (w, d, h), "main")


def blanket(k: Kit, w: float, d: float, h: float) -> None:
    """A folded blanket."""
    for i in range(2):
        k.box((0.006 * i, 0, i * h / 2), (w - 0.02 * i, d - 0.01 * i, h / 2 - 0.001), "main", h * 0.22, 3)
