"""What a check finds: one finding for each question, and the table it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

QUESTIONS = ("poses", "camera_axes", "quat_order", "depth_scale", "colour", "up")
"""what is asked of a recording, in the order in which it is answered"""


class Verdict(Enum):
    """What the frames say about a convention."""

    FITS = "fits"
    """what is declared fits, and nothing else does"""
    WRONG = "wrong"
    """something else fits, and what is declared does not"""
    FOUND = "found"
    """nothing is declared; this fits"""
    UNCERTAIN = "uncertain"
    """the frames cannot tell"""


@dataclass(frozen=True)
class Finding:
    """The answer to one question."""

    question: str
    """one of `QUESTIONS`"""
    verdict: Verdict
    declared: Any
    """what the recording or its format says; None: nothing"""
    found: Any
    """what fits; None: unknown. When uncertain it is what fits best, if anything does"""
    candidates: tuple[Any, ...]
    """everything that fits; one value unless uncertain"""
    residuals: dict[str, float] = field(default_factory=dict)
    """of each convention tried; `unit` says what the numbers are; NaN: nothing to compare"""
    unit: str = ""
    """what the residuals measure, and whether small or large is good"""
    reason: str = ""
    """what the answer rests on, or why there is none"""


@dataclass(frozen=True)
class Row:
    """One combination of pose conventions, at the depth scale at which it fits best."""

    poses: str
    camera_axes: str
    quat_order: str
    depth_factor: float
    """depth as read times this"""
    residual: float
    """median difference in depth over depth, where frames overlap; NaN: they do not"""
    agreement: float
    """share of readings that meet a reading of the other frame, weighted by how close"""
    overlap: float
    """share of readings that meet a reading of the other frame"""


@dataclass(frozen=True)
class Report:
    """What `check_recording` found."""

    format: str
    frames: int
    """frames compared"""
    pairs: int
    """pairs of frames compared"""
    findings: tuple[Finding, ...]
    """one for each of `QUESTIONS`, in that order"""
    rows: tuple[Row, ...]
    """all combinations of pose conventions, best first"""
    fix: tuple[str, ...]
    """what to type or to change, one line each; empty when nothing is wrong or missing"""
    settings: dict[str, Any]
    """keys of spatialmem.json that make a plain folder right; empty for other formats"""
    notes: tuple[str, ...]
    """frames that could not be used, and choices of the reader"""

    @property
    def verdict(self) -> Verdict:
        """wrong when any finding is; else uncertain when any is; else fits."""
        verdicts = [finding.verdict for finding in self.findings]
        return next((v for v in (Verdict.WRONG, Verdict.UNCERTAIN) if v in verdicts), Verdict.FITS)

    @property
    def convention(self) -> dict[str, Any]:
        """What fits, by question; None where the frames cannot tell."""
        return {f.question: None if f.verdict is Verdict.UNCERTAIN else f.found for f in self.findings}

    def __getitem__(self, question: str) -> Finding:
        return self.findings[QUESTIONS.index(question)]
