"""Which conventions a recording follows, found by comparing its frames with each other."""

from __future__ import annotations

from spatialmem.conventions.check import check_recording
from spatialmem.conventions.report import QUESTIONS, Finding, Report, Row, Verdict

__all__ = ["QUESTIONS", "Finding", "Report", "Row", "Verdict", "check_recording"]
