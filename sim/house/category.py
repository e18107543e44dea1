"""Kinds of furniture and things: how they look, how large they are and where people put them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from sim.house.materials import DECORS, Material, material
from sim.house.shape import Kit, Shape

Size = tuple[float, float, float]
Builder = Callable[[Kit, float, float, float], None]
"""puts a shape together in the kit, from its width (x), depth (y) and height (z) in metres"""


@dataclass(frozen=True)
class Finish:
    """Choices for the materials of one role."""

    substances: tuple[str, ...]
    colours: tuple[str, ...]
    decorated: float = 0.0
    """share of instances with stripes, checks or dots"""
    axis: int = 0
    """along which grain and stripes run"""
    glow: float = 0.0


@dataclass(frozen=True)
class Category:
    """One kind. Its name is the word people use."""

    name: str
    group: str
    """furniture, object or structure"""
    build: Builder
    smallest_m: Size
    largest_m: Size
    """ranges of width, depth and height"""
    finishes: Mapping[str, Finish]
    """role -> choices; the role "main" gives the colour and the material that language uses"""
    places: tuple[str, ...] = ()
    """for objects: kinds of regions (see Region.kind) they are put in"""
    rooms: tuple[str, ...] = ()
    """for objects: kinds of rooms they are found in; empty: any"""
    flat: bool = False
    """objects whose long side follows the edge of what they lie on"""
    most: int = 3
    """how many of a kind one region holds at most"""


@dataclass(frozen=True)
class Look:
    """What language says of one instance."""

    colour: str
    material: str
    decor: str = ""
    second_colour: str = ""
    size: str = "medium"
    """small, medium or large among its kind"""

    def phrase(self, category: str) -> str:
        """A noun phrase such as "small red and white striped ceramic mug"."""
        colour = f"{self.colour} and {self.second_colour} {self.decor}" if self.decor else self.colour
        size = self.size if self.size != "medium" else ""
        return " ".join(w for w in (size, colour, self.material, category) if w)


@dataclass(frozen=True, eq=False)
class Made:
    """An instance before it has a place."""

    category: Category
    look: Look
    shape: Shape
    size_m: Size
    """asked of the builder: width, depth, height"""
    finish: Mapping[str, Material]
    """role -> material, for other pieces of the same set"""


def make(category: Category, rng: np.random.Generator, *, size_m: Size | None = None, like: Made | None = None) -> Made:
    """One instance of a kind: size, colours and materials drawn, shape built.

    `like`: another piece whose materials it takes where they share a role, as furniture of one set does.
    """
    share = float(rng.uniform())
    low, high = np.asarray(category.smallest_m), np.asarray(category.largest_m)
    jitter = np.clip(share + rng.uniform(-0.15, 0.15, 3), 0.0, 1.0)
    drawn = tuple(float(v) for v in np.round(low + (high - low) * jitter, 3))
    size = size_m or (drawn[0], drawn[1], drawn[2])
    finish, look = _finished(category, rng)
    if like is not None:
        taken = {"front": like.finish["main"], **like.finish}
        finish.update({role: replace(m, axis=finish[role].axis) for role, m in taken.items() if role in finish})
        look = like.look
    word = (
        "medium"
        if np.all(high / np.maximum(low, 1e-9) < 1.25)
        else ("small", "medium", "large")[min(int(share * 3), 2)]
    )
    kit = Kit(finish, rng)
    category.build(kit, *size)
    return Made(
        category, Look(look.colour, look.material, look.decor, look.second_colour, word), kit.built(), size, finish
    )


def _finished(category: Category, rng: np.random.Generator) -> tuple[dict[str, Material], Look]:
    finish: dict[str, Material] = {}
    look = Look("", "")
    for role, choice in category.finishes.items():
        substance, colour = str(rng.choice(choice.substances)), str(rng.choice(choice.colours))
        if substance == "wood" and colour not in ("light brown", "brown", "dark brown"):
            substance = "painted wood"
        decor = second = ""
        if rng.uniform() < choice.decorated:
            decor = str(rng.choice(list(DECORS)))
            second = str(rng.choice([c for c in ("white", "black", "yellow", "blue", "red", "beige") if c != colour]))
        finish[role] = material(rng, substance, colour, decor=decor, second=second, axis=choice.axis, glow=choice.glow)
        if role == "main":
            look = Look(colour, "wood" if substance == "painted wood" else substance, decor, second)
    return finish, look
