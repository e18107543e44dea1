"""`check_recording`: every question in turn, each on what the ones before it found."""

from __future__ import annotations

import numpy as np

from spatialmem.conventions.advice import advise
from spatialmem.conventions.colour import colour_finding
from spatialmem.conventions.depth import all_factors, depth_finding, scales_to_try
from spatialmem.conventions.gravity import up_finding
from spatialmem.conventions.poses import PoseAnswer, answer_poses, pose_findings
from spatialmem.conventions.report import Report
from spatialmem.conventions.samples import Samples, take_samples
from spatialmem.io import Reader


def check_recording(reader: Reader) -> Report:
    """Which conventions a recording follows, whatever it declares; takes a few seconds.

    Some tens of frames are compared in pairs: the readings of one, moved into the other, should meet the surface that
    the other saw. This is done for world_from_camera and its inverse, three sets of camera axes, three orders
    of the quaternion and the usual scales of depth in every combination; then depth alone is scaled until surfaces
    stay in place, edges of depth are looked for in the colour images, and level surfaces tell up.

    Raises:
        ReadError: fewer than two frames with depth and a pose can be read.
    """
    samples = take_samples(reader)
    poses = _answer(samples)
    scales = scales_to_try(samples)
    depth = depth_finding(samples, poses, scales)
    factor = scales.declared / depth.found if depth.found else poses.factor
    findings = [
        *pose_findings(samples, poses),
        depth,
        colour_finding(samples, factor),
        up_finding(samples, poses, reader.up_in_world),
    ]
    fix, settings = advise(reader, findings)
    skipped = [f"{len(samples.bad)} frames could not be used: {samples.bad[0]}"] if samples.bad else []
    return Report(
        reader.format_name, len(samples.frames), len(samples.pairs), tuple(findings), poses.rows, fix, settings,
        (*skipped, *reader.notes),
    )  # fmt: skip


def _answer(samples: Samples) -> PoseAnswer:
    """The usual scales of depth first; any other that makes a room when none of them fits."""
    usual = np.array(list(scales_to_try(samples).factors.values()))
    answer = answer_poses(samples, usual) if len(usual) else None
    if answer is None or answer.trouble.startswith("no convention"):
        wider = answer_poses(samples, all_factors(samples))
        return wider if answer is None or not wider.trouble else answer
    return answer
