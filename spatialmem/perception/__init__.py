"""What a frame means: encoders that bring images and text into one space, and segmenters that find things."""

from __future__ import annotations

from spatialmem.perception.calibrated import CalibratedEncoder, load_bare
from spatialmem.perception.calibration import Calibration
from spatialmem.perception.checks import check_encoder
from spatialmem.perception.encoder import DEFAULT_ENCODER, ENCODERS, Encoder, Encoding, TextQuery, load_encoder
from spatialmem.perception.fingerprint import fingerprint
from spatialmem.perception.segmenter import SEGMENTERS, Segmenter, load_segmenter
from spatialmem.perception.segmenter_checks import check_segmenter

__all__ = [
    "DEFAULT_ENCODER",
    "ENCODERS",
    "SEGMENTERS",
    "CalibratedEncoder",
    "Calibration",
    "Encoder",
    "Encoding",
    "Segmenter",
    "TextQuery",
    "check_encoder",
    "check_segmenter",
    "fingerprint",
    "load_bare",
    "load_encoder",
    "load_segmenter",
]
