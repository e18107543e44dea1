"""Procedural houses: a seed gives rooms, furniture and things, a renderer and the exact truth about them."""

from __future__ import annotations

from sim.house.errors import HouseError, InvalidHouse, NoHouse
from sim.house.house import House, HouseConfig
from sim.house.making import make_house
from sim.house.render.base import Picture, Renderer, look_at
from sim.house.render.raster import RasterRenderer
from sim.house.render.raycast import RaycastRenderer
from sim.house.thing import CATEGORIES, Body, Thing
from sim.house.truth import Truth, visible

__all__ = [
    "CATEGORIES",
    "Body",
    "House",
    "HouseConfig",
    "HouseError",
    "InvalidHouse",
    "NoHouse",
    "Picture",
    "RasterRenderer",
    "RaycastRenderer",
    "Renderer",
    "Thing",
    "Truth",
    "look_at",
    "make_house",
    "visible",
]
