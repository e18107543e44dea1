"""Furniture that holds other things."""

from __future__ import annotations

from sim.house.shape import Kit


def _knob(k: Kit, x: float, y: float, z: float) -> None:
    with k.turned((x, y, z), pitch_deg=-90):
        k.lathe(
            (0, 0, 0), [(0, 0), (0.006, 0), (0.005, 0.012), (0.014, 0.016), (0.015, 0.022), (0, 0.026)], "handles", 14
        )


def _front(k: Kit, x: float, y: float, z: float, w: float, h: float, knob_x: float | None = None) -> None:
    """A door or drawer front, 18 mm thick, its knob in the middle or at `knob_x`."""
    k.box((x, y - 0.009, z), (w, 0.018, h), "front", 0.005)
    _knob(k, x if knob_x is None else knob_x, y, z + h / 2)


def bookshelf(k: Kit, w: float, d: float, h: float) -> None:
    """Open shelves between two sides, with a back."""
    shelves = max(2, round(h / 0.36))
    for x in (-1, 1):
        k.box((x * (w / 2 - 0.011), 0, 0), (0.022, d, h), "main", 0.004)
    k.box((0, -d / 2 + 0.006, 0.02), (w - 0.03, 0.01, h - 0.03), "main", 0.002)
    gap = (h - 0.09) / shelves
    for i in range(shelves + 1):
        z = 0.06 + i * gap
        k.box((0, 0, z - 0.02), (w - 0.04, d - 0.005, 0.022), "main", 0.004)
        if i < shelves:
            k.region("on", "shelf", (0, 0.01, z + 0.003), (w - 0.08, d - 0.05, gap - 0.04))
    k.box((0, 0, 0), (w - 0.04, d - 0.04, 0.04), "main", 0.003)
    if h < 1.3:
        k.region("on", "cabinet top", (0, 0, h - 0.028), (w - 0.08, d - 0.06, 0.5))


def wardrobe(k: Kit, w: float, d: float, h: float) -> None:
    """Two or three doors on plinth and cornice."""
    doors = 2 if w < 1.35 else 3
    k.box((0, -0.01, 0), (w - 0.04, d - 0.05, 0.07), "main", 0.004)
    k.box((0, -0.01, 0.07), (w, d - 0.02, h - 0.11), "main", 0.006)
    k.box((0, 0, h - 0.05), (w + 0.02, d, 0.05), "main", 0.012, 2)
    for i in range(doors):
        x = (i + 0.5) * w / doors - w / 2
        side = 1 if i % 2 == 0 and i < doors - 1 else -1
        _front(k, x, d / 2 - 0.004, 0.09, w / doors - 0.012, h - 0.15, x + side * (w / doors / 2 - 0.05))


def chest_of_drawers(k: Kit, w: float, d: float, h: float) -> None:
    """Rows of drawers under a top to put things on."""
    rows = max(2, round((h - 0.1) / 0.22))
    k.legs(w - 0.1, d - 0.1, 0.1, 0.016, "main", 0.024)
    k.box((0, -0.01, 0.09), (w - 0.02, d - 0.03, h - 0.11), "main", 0.006)
    k.box((0, 0, h - 0.025), (w, d, 0.025), "main", 0.008, 2)
    gap = (h - 0.13) / rows
    for i in range(rows):
        for x in (-1, 1):
            _front(k, x * w / 4, d / 2 - 0.004, 0.1 + i * gap + 0.006, w / 2 - 0.025, gap - 0.012)
    k.region("on", "dresser", (0, 0, h), (w - 0.08, d - 0.08, 0.6))


def nightstand(k: Kit, w: float, d: float, h: float) -> None:
    """A drawer over an open shelf."""
    k.legs(w - 0.05, d - 0.05, 0.08, 0.014, "main")
    for x in (-1, 1):
        k.box((x * (w / 2 - 0.01), 0, 0.07), (0.02, d, h - 0.08), "main", 0.004)
    k.box((0, 0, 0.07), (w - 0.02, d, 0.02), "main", 0.004)
    k.box((0, -d / 2 + 0.008, 0.08), (w - 0.03, 0.014, h - 0.1), "main", 0.003)
    k.box((0, -0.01, h - 0.2), (w - 0.035, d - 0.03, 0.17), "main", 0.004)
    _front(k, 0, d / 2, h - 0.195, w - 0.05, 0.16)
    k.box((0, 0, h - 0.022), (w, d, 0.022), "main", 0.007, 2)
    k.region("on", "nightstand", (0, 0, h), (w - 0.06, d - 0.06, 0.5))
    k.region("in", "cubby", (0, 0.01, 0.09), (w - 0.08, d - 0.06, h - 0.32))


def tv_stand(k: Kit, w: float, d: float, h: float) -> None:
    """A low board: doors at the sides, open in the middle."""
    k.legs(w - 0.12, d - 0.1, 0.1, 0.014, "handles", 0.02)
    k.box((0, 0, h - 0.025), (w, d, 0.025), "main", 0.006)
    k.box((0, 0, 0.1), (w, d, 0.02), "main", 0.004)
    k.box((0, -d / 2 + 0.008, 0.1), (w - 0.01, 0.012, h - 0.11), "main", 0.003)
    for x in (-1, 1):
        k.box((x * w / 3, -0.01, 0.11), (w / 3 - 0.02, d - 0.025, h - 0.13), "main", 0.004)
        _front(k, x * w / 3, d / 2, 0.125, w / 3 - 0.03, h - 0.16, x * w / 3 - x * (w / 6 - 0.05))
    k.region("in", "cubby", (0, 0.01, 0.12), (w / 3 - 0.04, d - 0.06, h - 0.16))
    k.region("on", "tv stand", (-w * 0.38, 0.04, h), (w * 0.2, d - 0.12, 0.4))
    k.region("on", "tv stand", (w * 0.38, 0.04, h), (w * 0.2, d - 0.12, 0.4))
    k.region("on", "television place", (0, -0.02, h), (w * 0.9, d * 0.6, 1.0))


def cabinet(k: Kit, w: float, d: float, h: float) -> None:
    """A sideboard of doors, to put things on."""
    doors = max(2, round(w / 0.45))
    k.box((0, -0.01, 0), (w - 0.05, d - 0.05, 0.06), "main", 0.004)
    k.box((0, -0.01, 0.06), (w - 0.01, d - 0.02, h - 0.08), "main", 0.006)
    k.box((0, 0, h - 0.028), (w, d, 0.028), "main", 0.01, 2)
    for i in range(doors):
        x = (i + 0.5) * w / doors - w / 2
        _front(k, x, d / 2 - 0.004, 0.08, w / doors - 0.012, h - 0.125, x + (0.5 - i % 2) * (w / doors - 0.1))
    k.region("on", "cabinet top", (0, 0, h), (w - 0.1, d - 0.08, 0.6))


def shoe_rack(k: Kit, w: float, d: float, h: float) -> None:
    """Slatted shelves for shoes."""
    for x in (-1, 1):
        for y in (-1, 1):
            k.box((x * (w / 2 - 0.012), y * (d / 2 - 0.015), 0), (0.022, 0.028, h), "main", 0.004)
    levels = max(2, round(h / 0.24))
    for i in range(levels):
        z = 0.06 + i * (h - 0.08) / (levels - 1)
        for j in range(5):
            k.box((0, (j - 2) * (d - 0.05) / 4, z - 0.012), (w - 0.02, 0.03, 0.014), "main", 0.004)
        top = i == levels - 1
        k.region("on", "bench" if top else "shoes", (0, 0, z + 0.002), (w - 0.1, d - 0.06, 0.4 if top else 0.18))


def storage_rack(k: Kit, w: float, d: float, h: float) -> None:
    """Metal posts and deep boards."""
    for x in (-1, 1):
        for y in (-1, 1):
            k.box((x * (w / 2 - 0.018), y * (d / 2 - 0.018), 0), (0.036, 0.036, h), "legs", 0.004)
    levels = max(3, round(h / 0.5))
    gap = (h - 0.15) / (levels - 1)
    for i in range(levels):
        z = 0.12 + i * gap
        k.box((0, 0, z - 0.03), (w - 0.02, d - 0.02, 0.03), "main", 0.004)
        if z < 1.6:
            k.region("on", "storage shelf", (0, 0, z), (w - 0.12, d - 0.1, min(gap - 0.06, 0.5)))


def wall_shelf(k: Kit, w: float, d: float, h: float) -> None:
    """A board on two brackets."""
    k.box((0, 0, h - 0.028), (w, d, 0.028), "main", 0.006)
    for x in (-0.35, 0.35):
        k.tube([(x * w, -d / 2 + 0.01, 0), (x * w, -d / 2 + 0.01, h - 0.03)], 0.008, "handles")
        k.tube([(x * w, -d / 2 + 0.01, 0.01), (x * w, d * 0.35, h - 0.03)], 0.008, "handles")
    k.region("on", "wall shelf", (0, 0, h), (w - 0.06, d - 0.03, 0.3))


def wall_cabinet(k: Kit, w: float, d: float, h: float) -> None:
    """Kitchen cupboards above the counter."""
    doors = max(1, round(w / 0.45))
    k.box((0, -0.01, 0), (w, d - 0.02, h), "main", 0.005)
    for i in range(doors):
        x = (i + 0.5) * w / doors - w / 2
        k.box((x, d / 2 - 0.012, 0.006), (w / doors - 0.012, 0.018, h - 0.012), "front", 0.005)
        k.box((x + (0.5 - i % 2) * (w / doors - 0.1), d / 2 + 0.004, 0.04), (0.012, 0.02, 0.12), "handles", 0.004)


def coat_rack(k: Kit, w: float, d: float, h: float) -> None:
    """A pole with hooks and, mostly, a coat."""
    for i in range(4):
        with k.turned(yaw_deg=90.0 * i + 45):
            k.tube([(0, 0, 0.1), (w * 0.3, 0, 0.06), (w * 0.5, 0, 0.012)], 0.014, "main")
            k.tube([(0, 0, h - 0.1), (0.08, 0, h - 0.06), (0.12, 0, h)], 0.009, "main")
    k.cylinder((0, 0, 0.06), 0.02, h - 0.08, "main", 0.018)
    k.ball((0, 0, h), (0.03, 0.03, 0.03), "main")
    if k.rng.uniform() < 0.8:
        k.lathe(
            (0.02, 0.02, h * 0.4),
            [(0.02, 0), (0.17, 0.01), (0.15, h * 0.3), (0.07, h * 0.5), (0, h * 0.52)],
            "coat",
            28,
        )


def laundry_basket(k: Kit, w: float, d: float, h: float) -> None:
    """A tall round basket, open above."""
    r = w / 2
    profile = [(0, 0), (r * 0.8, 0), (r * 0.82, 0.01), (r, h - 0.02), (r, h), (r - 0.012, h), (r - 0.015, h - 0.03)]
    k.lathe((0, 0, 0), [*profile, (r * 0.79, 0.015), (0, 0.015)], "main", 32)
    k.ball((0, 0, h * 0.8), (r * 0.86, r * 0.86, 0.07), "cloth", 0.8)


def waste_bin(k: Kit, w: float, d: float, h: float) -> None:
    """A bin for waste paper."""
    r = w / 2
    profile = [(0, 0), (r * 0.75, 0), (r, h), (r - 0.006, h), (r * 0.74, 0.008), (0, 0.008)]
    k.lathe((0, 0, 0), profile, "main", 32)
