"""`open_clip:<model>/<weights>`: any plain ViT of open_clip as an encoder of the map."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import require
from spatialmem.perception import clip_dense
from spatialmem.perception.calibrated import CalibratedEncoder
from spatialmem.perception.calibration import background_phrases
from spatialmem.perception.calibration_file import FILE_NAME
from spatialmem.perception.clip_source import ClipSource, import_open_clip, load_model, parse_source
from spatialmem.perception.encoder import Encoding, TextQuery, checked_features, checked_rgb
from spatialmem.perception.fingerprint import fingerprint
from spatialmem.perception.products import products
from spatialmem.perception.projection import projection_beside, unit_rows

MAP_DIM = 64
"""width of the map's features, unless a fitted projection says otherwise"""
TEMPLATES = ("{}", "a photo of {}.", "a photo of {} in a room.", "a close-up of {}.", "there is {} in the scene.")
"""prompts a phrase is put into; their vectors are averaged (Radford et al. 2021)"""
_MAX_SCALE = 100.0


@final
class OpenClip(CalibratedEncoder):
    """Patch features by the value path, projected to the map's width.

    Without a calibration, a score is the softmax share of the query among itself and the shipped background phrases,
    at the model's own temperature, on projected cosines.
    """

    def __init__(self, source: ClipSource, spec: str, device: str | None = None) -> None:
        """Load a model.

        Args:
            source: which model and weights (`parse_source`).
            spec: what the user wrote after "open_clip:".
            device: torch device; None takes a CUDA device when there is one.
        """
        torch = require("torch", "clip")
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._spec = spec
        self._model = load_model(source, self._device)
        clip_dense.check_vision_tower(self._model.visual, source.model)
        self._tokenizer = import_open_clip().get_tokenizer(source.model)
        self._projection = projection_beside(source.weights, self._full_width(), MAP_DIM)
        self._scale = np.float32(min(float(self._model.logit_scale.exp()), _MAX_SCALE))
        self._phrase_vector = functools.lru_cache(maxsize=1024)(self._encode_phrase)
        self._source = source
        self._fingerprint = self._digest(source)

    @classmethod
    def bare(cls, rest: str) -> OpenClip:
        """From "<model>/<weight file or tag>", "local-dir:<folder>" or "hf-hub:<repository>"."""
        return cls(parse_source(rest), rest)

    def _full_width(self) -> int:
        visual = self._model.visual
        return int(visual.conv1.out_channels if visual.proj is None else visual.proj.shape[1])

    def _digest(self, source: ClipSource) -> str:
        weights = {name: tensor.cpu().float().numpy() for name, tensor in self._model.state_dict().items()}
        preprocess = json.dumps(self._model.visual.preprocess_cfg, sort_keys=True)
        structure = json.dumps(import_open_clip().get_model_config(source.model), sort_keys=True)
        return fingerprint(
            name="open_clip", weights=weights, preprocess=preprocess, structure=structure, rule=clip_dense.RULE,
            projection=self._projection.identity, templates=TEMPLATES, background=background_phrases(),
        )  # fmt: skip

    @property
    def name(self) -> str:
        return f"open_clip:{self._spec}"

    @property
    def dim(self) -> int:
        return self._projection.dim

    @property
    def vector_dim(self) -> int:
        return self._full_width()

    @property
    def calibration_path(self) -> Path | None:
        weights = self._source.weights
        return None if weights is None else (weights if weights.is_dir() else weights.parent) / FILE_NAME

    @property
    def bare_fingerprint(self) -> str:
        return self._fingerprint

    @property
    def bare_min_similarity(self) -> float:
        return 0.0  # the bank decides, not the cosine: only what points away from the query is ruled out

    @property
    def bare_hit_score(self) -> float:
        return 0.5

    def encode(self, rgb: NDArray[np.uint8]) -> Encoding:
        """About as many patches as the model was trained with, in the aspect of the image (`patch_grid`)."""
        dense, vector = self._forward(rgb)
        return Encoding(self._projection(dense), unit_rows(vector))

    def _forward(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Unit patch features (h, w, F) before the projection, and the image vector (F,)."""
        image, visual = checked_rgb(rgb), self._model.visual
        grid = clip_dense.patch_grid(image.shape[0], image.shape[1], tuple(visual.grid_size))
        size_hw = (grid[0] * visual.patch_size[0], grid[1] * visual.patch_size[1])
        with require("torch", "clip").inference_mode():
            pixels = clip_dense.image_tensor(image, size_hw, visual, self._device)
            dense, vector = clip_dense.forward(visual, pixels, grid)
        return unit_rows(dense.cpu().numpy()), vector.cpu().numpy()

    def encode_text(self, text: str) -> TextQuery:
        """The mean over `TEMPLATES`, projected like the image. The empty text has no vector."""
        phrase = " ".join(text.split())
        return TextQuery(text, self._phrase_vector(phrase) if phrase else None)

    def _encode_phrase(self, phrase: str) -> NDArray[np.float32]:
        tokens = self._tokenizer([template.format(phrase) for template in TEMPLATES]).to(self._device)
        with require("torch", "clip").inference_mode():
            full = unit_rows(self._model.encode_text(tokens).cpu().numpy())
        vector = self._projection(unit_rows(full.mean(axis=0)))
        vector.flags.writeable = False
        return vector

    def encode_crop(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The mean of the crop's patch features: a query in the dense space, not in that of image vectors."""
        dense, _ = self._forward(rgb)
        return self._projection(dense.reshape(-1, dense.shape[-1]).mean(axis=0))

    @functools.cached_property
    def _bank(self) -> NDArray[np.float32]:
        return np.stack([self._phrase_vector(phrase) for phrase in background_phrases()])

    def bare_score(self, features: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
        rows, wanted = checked_features(features, query, self.dim)
        length = np.linalg.norm(rows, axis=1)
        scale = self._scale / np.where(length > 0, length, 1.0)
        logits = products(rows, np.vstack([wanted, self._bank]).T) * scale[:, None]
        against = np.exp(np.minimum(logits[:, 1:] - logits[:, :1], 80.0)).sum(axis=1)
        return np.where(length > 0, 1.0 / (1.0 + against), 0.0).astype(np.float32)
