"""Things to sit and to lie on."""

from __future__ import annotations

from sim.house.shape import Kit


def chair(k: Kit, w: float, d: float, h: float) -> None:
    """A dining chair: tapered legs, padded seat, back of slats between two posts."""
    seat = 0.45
    for x in (-1, 1):
        px = x * (w / 2 - 0.022)
        k.cylinder((px, d / 2 - 0.022, 0), 0.014, seat - 0.03, "legs", 0.02, 12)
        k.tube(
            [(px, -d / 2 + 0.022, 0), (px, -d / 2 + 0.022, seat), (px, -d / 2 - 0.03, h)], [0.014, 0.02, 0.014], "legs"
        )
        k.box((px, 0, seat - 0.07), (0.018, d - 0.06, 0.03), "legs")
    k.box((0, d / 2 - 0.022, seat - 0.07), (w - 0.06, 0.018, 0.03), "legs")
    k.box((0, 0, seat - 0.04), (w, d, 0.025), "legs", 0.01)
    k.box((0, 0.005, seat - 0.015), (w - 0.02, d - 0.02, 0.035), "main", 0.015, 2)
    for i in range(4):
        z = seat + 0.1 + i * (h - seat - 0.16) / 3
        y = -d / 2 + 0.022 - 0.052 * (z - seat) / (h - seat)
        k.box((0, y, z), (w - 0.05, 0.014, 0.045), "main", 0.006)
    k.region("on", "chair", (0, 0, seat + 0.02), (w * 0.6, d * 0.6, 0.4))


def stool(k: Kit, w: float, d: float, h: float) -> None:
    """A bar stool with a ring for the feet."""
    for x in (-1, 1):
        for y in (-1, 1):
            k.tube([(x * w * 0.46, y * d * 0.46, 0), (x * w * 0.3, y * d * 0.3, h - 0.04)], 0.013, "legs")
    for a, b in (((-1, -1), (1, -1)), ((1, -1), (1, 1)), ((1, 1), (-1, 1)), ((-1, 1), (-1, -1))):
        s = 0.41
        k.tube([(a[0] * w * s, a[1] * d * s, h * 0.3), (b[0] * w * s, b[1] * d * s, h * 0.3)], 0.009, "legs")
    k.cylinder((0, 0, h - 0.045), w * 0.48, 0.045, "main", segments=28)


def office_chair(k: Kit, w: float, d: float, h: float) -> None:
    """A swivel chair on five castors."""
    for i in range(5):
        with k.turned(yaw_deg=72.0 * i + 10):
            k.tube([(0, 0, 0.11), (w * 0.42, 0, 0.075)], [0.025, 0.014], "legs")
            k.ball((w * 0.42, 0, 0.03), (0.03, 0.018, 0.03), "legs", segments=12)
    k.cylinder((0, 0, 0.08), 0.028, 0.36, "legs")
    k.box((0, 0.02, 0.43), (w * 0.78, d * 0.78, 0.08), "main", 0.035, 3)
    k.tube([(0, -d * 0.2, 0.43), (0, -d * 0.42, 0.47), (0, -d * 0.44, 0.7)], 0.02, "legs")
    with k.turned((0, -d * 0.41, 0.58), pitch_deg=8):
        k.box((0, 0, 0), (w * 0.74, 0.07, h - 0.6), "main", 0.033, 3)
    for x in (-1, 1):
        k.tube([(x * w * 0.4, -0.05, 0.45), (x * w * 0.47, -0.05, 0.64)], 0.013, "legs")
        k.box((x * w * 0.47, 0.0, 0.64), (0.06, d * 0.42, 0.03), "legs", 0.013, 2)


def sofa(k: Kit, w: float, d: float, h: float) -> None:
    """A sofa of two or three seats, arms, cushions; also the armchair."""
    arm, seat = 0.17, 0.43
    k.legs(w - 0.16, d - 0.16, 0.1, 0.018, "legs", 0.028)
    k.box((0, 0, 0.09), (w, d, 0.2), "main", 0.03, 2)
    k.box((0, -d / 2 + 0.11, 0.2), (w, 0.22, h - 0.2), "main", 0.06, 3)
    for x in (-1, 1):
        k.box((x * (w / 2 - arm / 2), 0, 0.2), (arm, d, 0.42), "main", 0.06, 3)
    inside = w - 2 * arm
    seats = max(1, round(inside / 0.65))
    for i in range(seats):
        x = (i + 0.5) * inside / seats - inside / 2
        k.box((x, 0.09, 0.28), (inside / seats - 0.012, d - 0.2, seat - 0.26), "main", 0.05, 3)
        with k.turned((x, -d / 2 + 0.28, seat), pitch_deg=10):
            k.box((0, 0, 0), (inside / seats - 0.03, 0.16, h - seat - 0.02), "main", 0.06, 3)
    if k.has("cushions"):
        for x in (-1, 1):
            if k.rng.uniform() < 0.75:
                with k.turned((x * (inside / 2 - 0.2), -d / 2 + 0.47, seat + 0.19), pitch_deg=-65, yaw_deg=-18 * x):
                    k.cushion((0, 0, 0), (0.42, 0.42, 0.15), "cushions")
    k.region("on", "sofa", (0, 0.2, seat + 0.03), (inside - 0.2, max(d - 0.65, 0.25), 0.5))
    k.region("on", "sofa", (0, d / 2 - 0.17, seat + 0.03), (inside - 0.1, 0.25, 0.5))


def armchair(k: Kit, w: float, d: float, h: float) -> None:
    """A sofa of one seat."""
    sofa(k, w, d, h)


def bench(k: Kit, w: float, d: float, h: float) -> None:
    """A bench to put shoes under."""
    k.legs(w - 0.1, d - 0.08, h - 0.06, 0.02, "legs", 0.024)
    k.box((0, 0, h - 0.07), (w, d, 0.04), "legs", 0.008)
    k.box((0, 0, h - 0.035), (w - 0.02, d - 0.02, 0.05), "main", 0.022, 3)
    k.region("under", "shoes", (0, 0, 0), (w - 0.2, d - 0.1, h - 0.1))
    k.region("on", "bench", (0, 0, h + 0.015), (w - 0.1, d - 0.08, 0.5))


def ottoman(k: Kit, w: float, d: float, h: float) -> None:
    """A round pouffe."""
    r = w / 2
    profile = [(0, 0), (r * 0.9, 0), (r, 0.03), (r * 1.0, h * 0.5), (r * 0.97, h - 0.05), (r * 0.85, h - 0.01), (0, h)]
    k.lathe((0, 0, 0), profile, "main", 36)
    k.region("on", "ottoman", (0, 0, h - 0.005), (w * 0.5, d * 0.5, 0.5))


def bed(k: Kit, w: float, d: float, h: float) -> None:
    """A bed: frame with headboard at the back, mattress, duvet, one or two pillows."""
    base = 0.26
    k.legs(w - 0.14, d - 0.14, 0.14, 0.035, "main")
    k.box((0, 0, 0.12), (w, d, 0.16), "main", 0.015, 2)
    k.box((0, -d / 2 + 0.03, 0.12), (w, 0.06, h - 0.12), "main", 0.02, 2)
    k.box((0, 0.02, base), (w - 0.06, d - 0.12, 0.22), "sheet", 0.06, 3)
    k.box((0, 0.02 + d * 0.13, base + 0.04), (w - 0.005, d * 0.7, 0.225), "cover", 0.06, 3)
    k.box((0, -d * 0.19, base + 0.21), (w - 0.01, 0.24, 0.075), "sheet", 0.035, 3)
    pillows = 2 if w > 1.25 else 1
    for i in range(pillows):
        x = (i - (pillows - 1) / 2) * (w - 0.1) / pillows
        with k.turned((x, -d / 2 + 0.29, base + 0.19), pitch_deg=-12):
            k.cushion((0, 0, 0), (min(0.66, w / pillows - 0.14), 0.4, 0.17), "pillow")
    k.region("on", "bed", (0, d * 0.18, base + 0.27), (w - 0.3, d * 0.45, 0.6))
    k.region("under", "under bed", (0, d * 0.3, 0), (w - 0.2, d * 0.3, 0.12))


def bunk_bed(k: Kit, w: float, d: float, h: float) -> None:
    """Two beds above each other with a ladder; the long side is the depth."""
    for x in (-1, 1):
        for y in (-1, 1):
            k.box((x * (w / 2 - 0.035), y * (d / 2 - 0.035), 0), (0.07, 0.07, h), "main", 0.008)
    for z, role in ((0.3, "cover"), (h - 0.55, "pillow")):
        k.box((0, 0, z), (w, d - 0.1, 0.1), "main", 0.01)
        k.box((0, 0, z + 0.08), (w - 0.12, d - 0.16, 0.15), "sheet", 0.05, 3)
        k.box((0, 0.2, z + 0.1), (w - 0.1, d - 0.65, 0.155), role, 0.05, 3)
        k.cushion((0, -d / 2 + 0.32, z + 0.21), (w - 0.4, 0.36, 0.14), "sheet")
    for x in (-1, 1):
        k.box((x * (w / 2 - 0.02), 0, h - 0.14), (0.03, d - 0.1, 0.1), "main", 0.006)
    for x in (-0.16, 0.16):
        k.box((x, d / 2 - 0.01, 0), (0.04, 0.04, h - 0.2), "main", 0.006)
    for i in range(5):
        k.cylinder_x((0, d / 2 - 0.01, 0.3 + 0.25 * i), 0.016, 0.32, "main")
    k.region("on", "bed", (0, 0.25, 0.56), (w - 0.3, d - 0.9, 0.5))
    k.region("under", "under bed", (0, 0.1, 0), (w - 0.2, d - 0.4, 0.27))
