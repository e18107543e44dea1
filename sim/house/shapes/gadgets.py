"""Electronics, clocks and cameras."""

from __future__ import annotations

import numpy as np

from sim.house.shape import Kit


def laptop(k: Kit, w: float, d: float, h: float) -> None:
    """An open laptop; its user sits at its front."""
    k.box((0, 0, 0), (w, d, 0.016), "main", 0.005, 2)
    for row in range(5):
        for column in range(12):
            k.box(
                ((column - 5.5) * w * 0.075, -d * 0.34 + row * d * 0.115, 0.0158),
                (w * 0.063, d * 0.09, 0.002),
                "keys",
                0.0,
            )
    k.box((0, d * 0.36, 0.0158), (w * 0.3, d * 0.22, 0.001), "keys", 0.0)
    with k.turned((0, -d / 2 + 0.004, 0.014), pitch_deg=14):
        k.box((0, 0, 0), (w, 0.008, h - 0.014), "main", 0.004, 2)
        k.box((0, 0.0045, 0.012), (w - 0.02, 0.001, h - 0.04), "screen", 0.0)


def phone(k: Kit, w: float, d: float, h: float) -> None:
    """A smartphone lying on its back."""
    k.box((0, 0, 0), (w, d, h), "main", 0.004, 2)
    k.box((0, 0, h), (w * 0.92, d * 0.95, 0.0005), "screen", 0.0)


def tablet(k: Kit, w: float, d: float, h: float) -> None:
    """A tablet computer."""
    phone(k, w, d, h)


def remote_control(k: Kit, w: float, d: float, h: float) -> None:
    """A remote with rows of buttons."""
    k.box((0, 0, 0), (w, d, h), "main", 0.007, 2)
    k.cylinder((0, d * 0.25, h - 0.001), w * 0.28, 0.002, "keys", segments=20)
    for row in range(5):
        for column in range(3):
            k.box(
                ((column - 1) * w * 0.28, d * 0.05 - row * d * 0.1, h - 0.001),
                (w * 0.17, d * 0.05, 0.003),
                "keys",
                0.001,
            )


def keyboard(k: Kit, w: float, d: float, h: float) -> None:
    """A computer keyboard."""
    k.box((0, 0, 0), (w, d, h * 0.6), "main", 0.005, 2)
    for row in range(5):
        for column in range(15):
            k.box(
                ((column - 7) * w * 0.064, (row - 2) * d * 0.18, h * 0.55),
                (w * 0.054, d * 0.145, h * 0.45),
                "keys",
                0.0,
            )


def computer_mouse(k: Kit, w: float, d: float, h: float) -> None:
    """A mouse."""
    k.ball((0, 0, h * 0.4), (w / 2, d / 2, h * 0.6), "main", 0.75, 22)
    k.box((0, d * 0.28, h * 0.8), (0.006, 0.018, 0.01), "keys", 0.003)


def monitor(k: Kit, w: float, d: float, h: float) -> None:
    """A screen on a stand."""
    k.box((0, 0, 0), (w * 0.4, d, 0.012), "main", 0.005)
    k.box((0, -0.02, 0.01), (0.05, 0.025, h * 0.4), "main", 0.005)
    k.box((0, 0.01, h * 0.2), (w, 0.03, h * 0.8), "main", 0.008, 2)
    k.box((0, 0.0255, h * 0.2 + 0.012), (w - 0.024, 0.003, h * 0.8 - 0.024), "screen", 0.0)


def headphones(k: Kit, w: float, d: float, h: float) -> None:
    """Headphones lying down."""
    t = np.linspace(-0.2, np.pi + 0.2, 13)
    k.tube([(w * 0.42 * np.cos(a), d * 0.5 * np.sin(a) - d * 0.1, h * 0.5) for a in t], 0.007, "main", 10)
    for x in (-1, 1):
        with k.turned((x * w * 0.42, -d * 0.28, h * 0.5), roll_deg=90):
            k.lathe(
                (0, 0, -0.014),
                [(0, 0), (h * 0.42, 0), (h * 0.5, 0.008), (h * 0.5, 0.02), (h * 0.4, 0.028), (0, 0.028)],
                "main",
                24,
            )


def speaker(k: Kit, w: float, d: float, h: float) -> None:
    """A loudspeaker with two cones."""
    k.box((0, 0, 0), (w, d, h), "main", 0.008, 2)
    for z, r in ((0.34, 0.36), (0.76, 0.18)):
        with k.turned((0, d / 2, h * z), pitch_deg=-90):
            k.lathe(
                (0, 0, 0),
                [
                    (w * r, 0),
                    (w * r, 0.006),
                    (w * r * 0.9, 0.006),
                    (w * r * 0.3, -0.004),
                    (w * r * 0.25, 0.004),
                    (0, 0.008),
                ],
                "cone",
                30,
            )


def game_controller(k: Kit, w: float, d: float, h: float) -> None:
    """A game pad."""
    k.ball((0, 0, h * 0.5), (w * 0.42, d * 0.32, h * 0.45), "main", 0.6, 20)
    for x in (-1, 1):
        k.ball((x * w * 0.36, -d * 0.2, h * 0.45), (w * 0.13, d * 0.34, h * 0.42), "main", segments=14)
        k.cylinder((x * w * 0.16, -d * 0.08, h * 0.85), w * 0.05, 0.012, "keys", segments=14)
        k.cylinder((x * w * 0.26, d * 0.12, h * 0.86), w * 0.035, 0.006, "keys", segments=12)


def camera(k: Kit, w: float, d: float, h: float) -> None:
    """A camera with its lens."""
    k.box((0, -d * 0.2, 0), (w, d * 0.5, h * 0.82), "main", 0.01, 2)
    k.box((0, -d * 0.2, h * 0.78), (w * 0.35, d * 0.4, h * 0.2), "main", 0.008, 2)
    with k.turned((0, 0.04 * d, h * 0.4), pitch_deg=-90):
        k.lathe(
            (0, 0, 0),
            [(0, 0), (h * 0.36, 0), (h * 0.36, d * 0.44), (h * 0.3, d * 0.46), (h * 0.24, d * 0.3), (0, d * 0.3)],
            "keys",
            28,
        )
    k.cylinder((w * 0.36, -d * 0.2, h * 0.8), 0.008, 0.01, "keys", segments=12)


def alarm_clock(k: Kit, w: float, d: float, h: float) -> None:
    """A round clock on two feet with two bells."""
    r = w / 2
    for x in (-1, 1):
        k.tube([(x * r * 0.6, 0, 0), (x * r * 0.4, 0, r * 0.5)], 0.005, "main")
        k.ball((x * r * 0.5, 0, r * 2.05), (r * 0.3, r * 0.3, r * 0.22), "main", segments=14)
    with k.turned((0, -d / 2, r * 1.1), pitch_deg=-90):
        k.lathe(
            (0, 0, 0),
            [(0, 0), (r * 0.95, 0), (r, 0.005), (r, d), (r * 0.9, d), (r * 0.88, d - 0.006), (0, d - 0.006)],
            "main",
            32,
        )
        k.lathe((0, 0, d - 0.006), [(r * 0.88, 0.001), (0, 0.001)], "face", 28)
    for a, length in ((40, 0.5), (150, 0.75)):
        with k.turned((0, d / 2 - 0.004, r * 1.1), roll_deg=a):
            k.box((0, 0, 0), (0.004, 0.002, r * length), "keys", 0.0)
