"""`tiny`: the encoder that is at hand without network, key or GPU."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, final

import cv2
import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue
from spatialmem.perception.calibrated import CalibratedEncoder
from spatialmem.perception.calibration_file import FILE_NAME as CALIBRATION
from spatialmem.perception.encoder import Encoding, TextQuery, checked_features, checked_rgb
from spatialmem.perception.fingerprint import fingerprint
from spatialmem.perception.products import products
from spatialmem.perception.projection import unit_rows
from spatialmem.perception.tiny.artefact import STRIDE, Artefact, load_artefact, shipped_folder

_HIT_SCORE = 0.5
_ROOM = 0.05
"""by which a cosine may fall when features are kept in 8 bits"""


@final
class Tiny(CalibratedEncoder):
    """Finds what its closed vocabulary names: kinds of things of a home, colours, materials, rooms, what is on what."""

    def __init__(self, folder: Path | None = None) -> None:
        """Load an artefact; None: the one that comes along. `InvalidValue` says what is wrong with it."""
        self._spec = "" if folder is None else str(folder)
        self._folder = shipped_folder() if folder is None else folder
        self._artefact = load_artefact(self._folder)
        self._image, self._text = _towers(self._artefact)
        self._fingerprint = _digest(self._artefact)
        self._vector_of = functools.lru_cache(maxsize=1024)(self._encode_ids)

    @classmethod
    def bare(cls, rest: str) -> Tiny:
        """From nothing, or from the folder of an artefact: "tiny:runs/encoder/seed-0"."""
        return cls(Path(rest).expanduser() if rest else None)

    @property
    def name(self) -> str:
        return f"tiny:{self._spec}" if self._spec else "tiny"

    @property
    def dim(self) -> int:
        return int(self._artefact.description["architecture"]["dim"])

    @property
    def vector_dim(self) -> int:
        return self.dim

    @property
    def calibration_path(self) -> Path:
        return self._folder / CALIBRATION

    @property
    def bare_fingerprint(self) -> str:
        return self._fingerprint

    @property
    def bare_min_similarity(self) -> float:
        """Where the score would be that of a hit, and a little below."""
        logit = math.log(_HIT_SCORE / (1.0 - _HIT_SCORE))
        return float(np.clip((logit - self._artefact.bias) / self._artefact.scale - _ROOM, -1.0, 1.0))

    @property
    def bare_hit_score(self) -> float:
        return _HIT_SCORE

    @property
    def words(self) -> tuple[str, ...]:
        """All words that it knows."""
        return self._artefact.vocabulary.words

    def encode(self, rgb: NDArray[np.uint8]) -> Encoding:
        """A patch is 8 x 8 pixels of the image after it was made no larger than the artefact says (256 x 256, or as
        many pixels in its own aspect) and stretched to multiples of 8."""
        image = checked_rgb(rgb)
        dense, vector, _ = self._forward(
            image, self._artefact.preprocess.image_size(image.shape[0], image.shape[1], STRIDE)
        )
        return Encoding(dense, vector)

    def encode_crop(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Its patch features, weighted by what the tower takes for the thing in the middle. The image should show
        little else than the thing, as the box of a detection does."""
        image = checked_rgb(rgb)
        return self._forward(image, self._artefact.preprocess.crop_size(image.shape[0], image.shape[1], STRIDE))[2]

    def _forward(
        self, rgb: NDArray[np.uint8], size_hw: tuple[int, int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """(h, w, D) unit rows, and the vectors (D,) of the image and of its middle."""
        import torch

        from spatialmem.perception.tiny.towers import pooled

        with one_thread(), torch.inference_mode():
            dense, logits = self._image(self._pixels(rgb, size_hw))
            image, middle = pooled(dense, logits)
            rows = dense[0].permute(1, 2, 0).contiguous().numpy()
        return unit_rows(rows), unit_rows(image[0].numpy()), unit_rows(middle[0].numpy())

    def _pixels(self, rgb: NDArray[np.uint8], size_hw: tuple[int, int]) -> Any:
        """(1, 3, H, W) float32, normalised; its memory is that of (H, W, 3), which the convolutions like best."""
        import torch

        preprocess = self._artefact.preprocess
        if size_hw != rgb.shape[:2]:
            smaller = size_hw[0] * size_hw[1] < rgb.shape[0] * rgb.shape[1]
            way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
            rgb = np.asarray(cv2.resize(rgb, (size_hw[1], size_hw[0]), interpolation=way), np.uint8)
        mean, std = (np.array(v, np.float32) * np.float32(255.0) for v in (preprocess.mean, preprocess.std))
        return torch.from_numpy((rgb - mean) / std).permute(2, 0, 1)[None]

    def encode_text(self, text: str) -> TextQuery:
        """Words it does not know are named and have no say; a phrase that names nothing it knows has no vector."""
        tokens = self._artefact.vocabulary.read(text)
        return TextQuery(text, self._vector_of(tokens.ids) if tokens.ids else None, tokens.unknown)

    def _encode_ids(self, ids: tuple[int, ...]) -> NDArray[np.float32]:
        import torch

        with one_thread(), torch.inference_mode():
            vector = unit_rows(self._text(torch.tensor([ids]))[0].numpy())
        vector.flags.writeable = False
        return vector

    def bare_score(self, features: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logistic function of the cosine, with the slope and offset of training."""
        rows, wanted = checked_features(features, query, self.dim)
        length = np.linalg.norm(rows, axis=1) * max(float(np.linalg.norm(wanted)), 1e-12)
        cosine = products(rows, wanted) / np.where(length > 0, length, 1.0)
        logit = np.clip(cosine * self._artefact.scale + self._artefact.bias, -80.0, 80.0)
        return np.where(length > 0, 1.0 / (1.0 + np.exp(-logit)), 0.0).astype(np.float32)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Torch with one thread for whoever calls, so that features are the same to the last bit however many it has
    otherwise: two take sums in another order, and would save an eighth of the time. Other threads keep theirs; one that
    uses torch for the first time in these milliseconds starts with one."""
    import torch

    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _towers(artefact: Artefact) -> tuple[Any, Any]:
    """Image and text tower with the artefact's weights, in float32; `InvalidValue` when they do not fit."""
    import torch

    from spatialmem.perception.tiny.towers import Architecture, ImageTower, TextTower

    try:
        architecture = Architecture.of(artefact.description["architecture"])
        towers = ImageTower(architecture, norm=False), TextTower(architecture)
        for tower, prefix in zip(towers, ("image.", "text."), strict=True):
            given = {k.removeprefix(prefix): v for k, v in artefact.weights.items() if k.startswith(prefix)}
            tower.load_state_dict({name: torch.from_numpy(v.astype(np.float32)) for name, v in given.items()})
    except (TypeError, ValueError, RuntimeError) as error:
        lines = " ".join(str(error).split())
        raise InvalidValue(
            f"the weights do not fit the architecture of tiny.json: {lines[:300]}; export both anew"
        ) from error
    if architecture.words != len(artefact.vocabulary) or architecture.dim % 8:
        raise InvalidValue(
            f"tiny.json lists {len(artefact.vocabulary)} words for a tower of {architecture.words}, width "
            f"{architecture.dim}; expected as many, and a multiple of 8"
        )
    image, text = (tower.eval().requires_grad_(False) for tower in towers)
    return image.to(memory_format=torch.channels_last), text  # type: ignore[call-overload]


def _digest(artefact: Artefact) -> str:
    from spatialmem.perception.tiny.towers import CENTRE

    parts = {key: artefact.description[key] for key in sorted(artefact.description) if key != "training"}
    return fingerprint(name="tiny", weights=artefact.weights, middle=CENTRE, hit_score=_HIT_SCORE, **parts)
