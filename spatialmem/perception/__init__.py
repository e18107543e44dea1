"""What a frame means: encoders that bring images and text into one space."""

from __future__ import annotations

from spatialmem.perception.calibrated import CalibratedEncoder, load_bare
from spatialmem.perception.calibration import Calibration
from spatialmem.perception.checks import check_encoder
from spatialmem.perception.encoder import DEFAULT_ENCODER, ENCODERS, Encoder, Encoding, TextQuery, load_encoder
from spatialmem.perception.fingerprint import fingerprint

__all__ = [
    "DEFAULT_ENCODER",
    "ENCODERS",
    "CalibratedEncoder",
    "Calibration",
    "Encoder",
    "Encoding",
    "TextQuery",
    "check_encoder",
    "fingerprint",
    "load_bare",
    "load_encoder",
]
