"""Small things of kitchens: vessels, cutlery, food, packages."""

from __future__ import annotations

import numpy as np

from sim.house.shape import Kit


def _handle(k: Kit, x: float, z0: float, z1: float, reach: float, r: float, role: str = "main") -> None:
    """A loop on the +x side from height z0 to z1."""
    t = np.linspace(-np.pi / 2, np.pi / 2, 9)
    middle, half = (z0 + z1) / 2, (z1 - z0) / 2
    k.tube([(x + reach * np.cos(a), 0, middle + half * np.sin(a)) for a in t], r, role, 8)


def _vessel(r: float, h: float, wall: float, foot: float = 1.0) -> list[tuple[float, float]]:
    low = r * foot
    return [
        (0, 0),
        (low - 0.003, 0),
        (low, 0.004),
        (r, h - 0.003),
        (r - wall / 2, h),
        (r - wall, h - 0.003),
        (low - wall, wall * 1.5),
        (0, wall * 1.5),
    ]


def mug(k: Kit, w: float, d: float, h: float) -> None:
    """A mug with a handle."""
    r = d / 2
    k.lathe((0, 0, 0), _vessel(r, h, 0.005), "main", 32)
    _handle(k, r - 0.003, h * 0.22, h * 0.8, w - d, 0.005)


def cup(k: Kit, w: float, d: float, h: float) -> None:
    """A tea cup on its saucer."""
    r = d * 0.3
    k.lathe(
        (0, 0, 0),
        [(0, 0.004), (d * 0.2, 0.002), (d / 2, 0.014), (d / 2, 0.018), (d * 0.2, 0.008), (0, 0.008)],
        "main",
        36,
    )
    k.lathe(
        (0, 0, 0.008),
        [
            (0, 0),
            (r * 0.5, 0),
            (r * 0.85, h * 0.35),
            (r, h - 0.01),
            (r - 0.004, h - 0.01),
            (r * 0.75, h * 0.3),
            (0, 0.008),
        ],
        "main",
        32,
    )
    _handle(k, r - 0.006, h * 0.35, h * 0.8, 0.02, 0.0035)


def drinking_glass(k: Kit, w: float, d: float, h: float) -> None:
    """A tumbler."""
    k.lathe((0, 0, 0), _vessel(w / 2, h, 0.003, 0.8), "main", 32)


def wine_glass(k: Kit, w: float, d: float, h: float) -> None:
    """A stemmed glass."""
    r = w / 2
    profile = [
        (0, 0),
        (r * 0.9, 0),
        (r * 0.9, 0.003),
        (0.006, 0.01),
        (0.004, h * 0.45),
        (r * 0.75, h * 0.55),
        (r, h * 0.72),
        (r * 0.8, h),
        (r * 0.78, h),
    ]
    k.lathe((0, 0, 0), [*profile, (r * 0.96, h * 0.72), (r * 0.7, h * 0.57), (0, h * 0.5)], "main", 32)


def plate(k: Kit, w: float, d: float, h: float) -> None:
    """A dinner plate."""
    r = w / 2
    k.lathe(
        (0, 0, 0),
        [
            (0, 0),
            (r * 0.6, 0),
            (r * 0.68, h * 0.45),
            (r, h),
            (r - 0.002, h + 0.003),
            (r * 0.66, h * 0.45 + 0.004),
            (r * 0.58, 0.005),
            (0, 0.005),
        ],
        "main",
        44,
    )


def bowl(k: Kit, w: float, d: float, h: float) -> None:
    """A bowl that holds fruit."""
    r = w / 2
    outer = [(r * (0.42 + 0.58 * np.sin(a)), h * (1 - np.cos(a))) for a in np.linspace(0.15, np.pi / 2, 7)]
    inner = [(x - 0.006, max(z, 0.008)) for x, z in reversed(outer)]
    k.lathe((0, 0, 0), [(0, 0), (r * 0.42, 0), *outer, *inner, (0, 0.01)], "main", 44)
    k.region("in", "bowl", (0, 0, 0.02), (w * 0.52, w * 0.52, 0.25))


def bottle(k: Kit, w: float, d: float, h: float) -> None:
    """A bottle with a neck, a label and a cap."""
    r = w / 2
    k.lathe(
        (0, 0, 0),
        [
            (0, 0),
            (r - 0.004, 0),
            (r, 0.006),
            (r, h * 0.58),
            (r * 0.75, h * 0.68),
            (r * 0.36, h * 0.78),
            (r * 0.34, h * 0.95),
            (0, h * 0.95),
        ],
        "main",
        28,
    )
    k.lathe((0, 0, 0), [(r * 0.4, h * 0.92), (r * 0.4, h), (0, h)], "cap", 20)
    k.lathe((0, 0, 0), [(r + 0.0008, h * 0.18), (r + 0.0008, h * 0.5)], "label", 28)


def water_bottle(k: Kit, w: float, d: float, h: float) -> None:
    """A sports bottle."""
    r = w / 2
    k.lathe(
        (0, 0, 0),
        [
            (0, 0),
            (r - 0.005, 0),
            (r, 0.008),
            (r, h * 0.45),
            (r * 0.9, h * 0.52),
            (r, h * 0.6),
            (r, h * 0.78),
            (r * 0.7, h * 0.84),
            (0, h * 0.84),
        ],
        "main",
        28,
    )
    k.lathe(
        (0, 0, 0), [(r * 0.72, h * 0.83), (r * 0.72, h * 0.93), (r * 0.3, h * 0.95), (r * 0.28, h), (0, h)], "cap", 24
    )


def teapot(k: Kit, w: float, d: float, h: float) -> None:
    """A round pot with spout, handle and lid."""
    r = d / 2
    body = [(r * np.sin(a), h * 0.42 * (1 - np.cos(a))) for a in np.linspace(0.25, np.pi * 0.86, 11)]
    k.lathe(
        (0, 0, 0),
        [(0, body[0][1]), *body, (r * 0.4, h * 0.82), (r * 0.36, h * 0.86), (r * 0.15, h * 0.9), (0, h * 0.91)],
        "main",
        36,
    )
    k.ball((0, 0, h * 0.95), (r * 0.13, r * 0.13, r * 0.13), "main", segments=12)
    k.tube(
        [(r * 0.8, 0, h * 0.32), (r * 1.25, 0, h * 0.5), (w * 0.62, 0, h * 0.78)],
        [r * 0.22, r * 0.14, r * 0.09],
        "main",
        12,
    )
    with k.turned(yaw_deg=180):
        _handle(k, r * 0.82, h * 0.25, h * 0.72, r * 0.5, r * 0.07)


def kettle(k: Kit, w: float, d: float, h: float) -> None:
    """An electric kettle on its base."""
    r = d / 2
    k.lathe((0, 0, 0), [(0, 0), (r, 0), (r, 0.018), (0, 0.018)], "handle", 36)
    k.lathe(
        (0, 0, 0.02),
        [(0, 0), (r * 0.96, 0), (r * 0.98, 0.01), (r * 0.7, h * 0.8), (r * 0.6, h * 0.86), (0, h * 0.9)],
        "main",
        36,
    )
    k.tube(
        [(-r * 0.6, 0, h * 0.86), (-r * 1.3, 0, h * 0.82), (-r * 1.35, 0, h * 0.35), (-r * 0.95, 0, h * 0.18)],
        0.011,
        "handle",
        10,
    )
    k.tube([(r * 0.6, 0, h * 0.6), (r * 0.95, 0, h * 0.8)], [0.024, 0.012], "main", 12)


def saucepan(k: Kit, w: float, d: float, h: float) -> None:
    """A pot with one long handle."""
    r = d / 2
    k.lathe((0, 0, 0), _vessel(r, h, 0.004), "main", 40)
    k.tube([(r - 0.002, 0, h * 0.82), (w - r, 0, h * 0.92)], [0.008, 0.011], "handle", 10)
    k.footprint(0, 0, d, d)


def cooking_pot(k: Kit, w: float, d: float, h: float) -> None:
    """A pot with two handles and a lid."""
    r = d / 2 * 0.9
    k.lathe(
        (0, 0, 0),
        [(0, 0), (r - 0.004, 0), (r, 0.005), (r, h * 0.75), (r + 0.004, h * 0.76), (r * 0.9, h * 0.82), (0, h * 0.88)],
        "main",
        40,
    )
    k.lathe((0, 0, h * 0.86), [(0, 0), (0.01, 0), (0.02, h * 0.12), (0, h * 0.14)], "handle", 18)
    for yaw in (0, 180):
        with k.turned(yaw_deg=yaw):
            k.tube(
                [(r, -0.035, h * 0.6), (r + 0.025, -0.03, h * 0.62), (r + 0.025, 0.03, h * 0.62), (r, 0.035, h * 0.6)],
                0.006,
                "handle",
            )


def frying_pan(k: Kit, w: float, d: float, h: float) -> None:
    """A flat pan with a handle."""
    r = d / 2
    k.lathe((0, 0, 0), [(0, 0), (r * 0.8, 0), (r, h), (r - 0.004, h), (r * 0.78, 0.006), (0, 0.006)], "main", 40)
    k.tube(
        [(r - 0.004, 0, h * 0.8), (r + 0.06, 0, h + 0.01), (w - r, 0, h + 0.015)], [0.008, 0.009, 0.012], "handle", 10
    )


def cutting_board(k: Kit, w: float, d: float, h: float) -> None:
    """A board with a grip."""
    k.box((0, 0, 0), (w * 0.86, d, h), "main", 0.008, 2)
    k.box((w * 0.44, 0, 0), (w * 0.14, d * 0.3, h), "main", 0.008, 2)
    k.region("on", "board", (0, 0, h), (w * 0.7, d * 0.8, 0.25))
