"""`owl:<owlv2>,<sam2>`: things by name. OWLv2 finds boxes of the names it is given (Minderer, Gritsenko and Houlsby,
"Scaling open-vocabulary object detection", 2023), SAM 2 the masks in them (Ravi et al., "SAM 2: Segment anything in
images and videos", 2024)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import require
from spatialmem.perception.encoder import Encoding
from spatialmem.perception.fingerprint import fingerprint
from spatialmem.perception.owl import images
from spatialmem.perception.owl.names import HOUSEHOLD, names_of
from spatialmem.perception.owl.source import (
    OwlSource,
    digest_of,
    import_transformers,
    load_model,
    load_part,
    parse_source,
)
from spatialmem.perception.segmenter import Segmenter
from spatialmem.things import Detection
from spatialmem.types import Frame

LEAST_SCORE = 0.2
"""of a box, to be one"""
SAME_BOX = 0.6
"""IoU of two boxes from which the one with the lower score is left out, whatever their names"""
MOST = 60
"""boxes of a frame"""
PROMPT = "a photo of a {}"
VERSION = 1
"""raised whenever the method changes, for the fingerprint"""


@final
class Owl(Segmenter):
    """Needs no depth. Names come from the vocabulary; the score is that of the box times that of the mask."""

    def __init__(self, source: OwlSource, spec: str, device: str | None = None) -> None:
        """Load both models.

        Args:
            source: which checkpoints (`parse_source`).
            spec: what the user wrote after "owl:".
            device: torch device; None takes a CUDA device when there is one.
        """
        transformers, torch = import_transformers(), require("torch", "owl")
        self._spec, self._lock = spec, threading.Lock()
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._names = HOUSEHOLD if source.names is None else names_of(source.names)
        self._owl = load_model(transformers.Owlv2ForObjectDetection, source.owl, "an OWLv2 checkpoint").to(self._device)
        self._sam = load_model(transformers.Sam2Model, source.sam, "a SAM 2 checkpoint").to(self._device)
        tokenizer = load_part(transformers.AutoTokenizer, source.owl, "the tokenizer of OWLv2")
        self._queries, self._tokens = self._queried(tokenizer)
        self._owl_look = images.look_of(source.owl, images.CLIP)
        self._sam_look = images.look_of(source.sam, images.IMAGENET)
        self._fingerprint = self._digest()

    @classmethod
    def from_spec(cls, rest: str) -> Owl:
        """From "<owlv2 folder or hub name>,<sam2 folder or hub name>[,names=<file>]"."""
        return cls(parse_source(rest), rest)

    def _queried(self, tokenizer: Any) -> tuple[Any, NDArray[np.int64]]:
        """Vectors (1, Q, D) of the names, which do not depend on the picture, and their tokens (Q, L)."""
        torch = require("torch", "owl")
        length = int(self._owl.config.text_config.max_position_embeddings)
        texts = [PROMPT.format(name) for name in self._names]
        given = tokenizer(texts, padding="max_length", truncation=True, max_length=length, return_tensors="pt")
        tokens = {key: given[key].to(self._device) for key in ("input_ids", "attention_mask")}
        size = images.side_of(self._owl.config.vision_config.image_size)
        with torch.inference_mode():
            seen = self._owl(pixel_values=torch.zeros((1, 3, size, size), device=self._device), **tokens)
        return seen.text_embeds, given["input_ids"].numpy()

    def _digest(self) -> str:
        return fingerprint(
            name="owl", version=VERSION, owl=digest_of(self._owl), sam=digest_of(self._sam), names=self._names,
            tokens=self._tokens, looks=[str(self._owl_look), str(self._sam_look)],
            limits=[LEAST_SCORE, SAME_BOX, MOST],
        )  # fmt: skip

    @property
    def name(self) -> str:
        return f"owl:{self._spec}"

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def segment(self, frame: Frame, encoding: Encoding | None) -> Sequence[Detection]:
        """The names that are in sight; `encoding` is not looked at."""
        with self._lock, require("torch", "owl").inference_mode():
            boxes, labels, scores = self._boxes(frame.rgb)
            if len(boxes) == 0:
                return []
            masks, sure = self._masks(frame.rgb, boxes)
        if frame.valid is not None:
            masks &= frame.valid
        return [
            Detection(mask, self._names[label], float(np.clip(score * certain, 0.0, 1.0)))
            for mask, label, score, certain in zip(masks, labels, scores, sure, strict=True)
            if mask.any()
        ]

    def _boxes(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float32], list[int], NDArray[np.float32]]:
        """Boxes (B, 4) left, top, right, bottom in pixels of the frame, their names and scores, the best first."""
        torch = require("torch", "owl")
        size = images.side_of(self._owl.config.vision_config.image_size)
        grid, _ = self._owl.image_embedder(pixel_values=images.padded(rgb, size, self._owl_look).to(self._device))[:2]
        patches = grid.flatten(1, 2)
        logits, _ = self._owl.class_predictor(patches, self._queries)
        score, label = torch.sigmoid(logits[0].float()).max(dim=-1)
        middles = self._owl.box_predictor(patches, grid)[0].float().cpu().numpy()
        side = float(max(rgb.shape[:2]))
        corners = images.corners(middles) * side
        corners = np.clip(corners, 0.0, np.array([rgb.shape[1], rgb.shape[0]] * 2, np.float32))
        scores, labels = score.cpu().numpy(), label.cpu().numpy()
        kept = images.apart(corners, scores, LEAST_SCORE, SAME_BOX, MOST)
        return corners[kept], [int(labels[i]) for i in kept], scores[kept]

    def _masks(
        self, rgb: NDArray[np.uint8], boxes: NDArray[np.float32]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Masks (B, H, W) in boxes, and how well SAM 2 thinks that they fit (B,)."""
        torch = require("torch", "owl")
        size = images.side_of(self._sam.config.vision_config.backbone_config.image_size)
        height, width = rgb.shape[:2]
        scale = np.array([size / width, size / height] * 2, np.float32)
        prompts = torch.from_numpy(boxes * scale)[None].to(self._device)
        pixels = images.stretched(rgb, (size, size), self._sam_look).to(self._device)
        given = self._sam(pixel_values=pixels, input_boxes=prompts, multimask_output=False)
        logits = torch.nn.functional.interpolate(
            given.pred_masks[0].float(), (height, width), mode="bilinear", align_corners=False
        )
        return (logits[:, 0] > 0.0).cpu().numpy(), given.iou_scores[0, :, 0].float().clamp(0.0, 1.0).cpu().numpy()
