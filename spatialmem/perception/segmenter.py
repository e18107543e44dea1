"""The segmenter: which things an image shows, and the names under which segmenters are found."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from spatialmem.errors import InvalidValue
from spatialmem.perception.encoder import Encoding
from spatialmem.perception.members import find_member
from spatialmem.things import Detection
from spatialmem.types import Frame

SEGMENTERS: dict[str, str] = {
    "regions": "spatialmem.perception.regions.segmenter:Regions",
    "owl": "spatialmem.perception.owl.segmenter:Owl",
}
"""Segmenters of this package, name -> "module:Class"; imported only when asked for."""

ENTRY_POINTS = "spatialmem.segmenters"
"""Entry-point group in which installed packages offer segmenters of their own."""


class Segmenter(ABC):
    """Things of one frame at a time. It holds no state that `segment` changes: the same frame, the same answer."""

    @classmethod
    def from_spec(cls, rest: str) -> Segmenter:
        """The segmenter that "name:rest" means; raises `InvalidValue` when `rest` is not understood."""
        if rest:
            raise InvalidValue(f"segmenter {cls.__name__} takes nothing after its name; given {rest!r}")
        return cls()

    @property
    @abstractmethod
    def name(self) -> str:
        """What `load_segmenter` was given to get this segmenter."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Hex digest of everything that changes what it finds (`spatialmem.perception.fingerprint`)."""

    @abstractmethod
    def segment(self, frame: Frame, encoding: Encoding | None) -> Sequence[Detection]:
        """The things in a frame, masks of the frame's size. Walls, floors, ceilings and the like are none.

        `encoding`: what the memory's encoder sees in `frame.rgb`; None where the frame is not encoded. Masks may
        overlap; of what overlaps the smaller thing counts as in front. Pixels without depth may be in a mask.
        """


def load_segmenter(spec: str | Segmenter) -> Segmenter:
    """The segmenter of a name such as "regions" or "owl:path/to/folder"; one that is already one is handed back.

    Names are those of `SEGMENTERS` and of the entry-point group "spatialmem.segmenters"; an unknown one raises
    `UnknownName` with the nearest.
    """
    if isinstance(spec, Segmenter):
        return spec
    name, _, rest = spec.partition(":")
    return find_member("segmenter", name, SEGMENTERS, ENTRY_POINTS, Segmenter).from_spec(rest)
