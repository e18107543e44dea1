"""Arguments of a memory's methods, checked: each check hands the value back in one form or raises `InvalidValue`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialmem.checks import described, finite_number, numeric_array, real_number, whole_number
from spatialmem.config import MemoryConfig
from spatialmem.errors import InvalidFrame, InvalidValue
from spatialmem.perception import Encoder
from spatialmem.things import Detection
from spatialmem.types import Camera, Frame, checked_transform
from spatialmem.voxels.keys import BLOCK, KEY_OFFSET

LARGEST_VIEW_MEGAPIXELS = 64
_STAMP_LIMIT = 2**63


def checked_creation(path: Any, encoder: Any, config: Any) -> MemoryConfig:
    """What `create` is given; the configuration with its default filled in."""
    if path is not None and (not isinstance(path, (str, Path)) or not str(path).strip()):
        raise InvalidValue(f"path must name the file to make; given {described(path)}; None makes an ephemeral memory")
    checked_encoder(encoder)
    if config is None:
        return MemoryConfig()
    if not isinstance(config, MemoryConfig):
        raise InvalidValue(f"config must be a MemoryConfig; given {described(config)}; use MemoryConfig(...)")
    return config


def checked_encoder(encoder: Any) -> str | Encoder:
    """The encoder that a memory is made with or moved to."""
    if not isinstance(encoder, (str, Encoder)):
        raise InvalidValue(f'encoder must be a name or an Encoder; given {described(encoder)}; use "tiny", say')
    return encoder


def checked_opening(path: Any, encoder: Any = None) -> str | Path:
    """What `open` and `repair` are given; the path."""
    if not isinstance(path, (str, Path)) or not str(path).strip():
        raise InvalidValue(
            f"path must name a memory file; given {described(path)}; one made without a path has no file"
        )
    if encoder is not None and not isinstance(encoder, Encoder):
        raise InvalidValue(
            f"encoder must be an Encoder or None; given {described(encoder)}; leave it out where a name leads to the "
            "encoder: the file holds that name"
        )
    return path


def checked_frame(frame: Any, method: str = "observe") -> Frame:
    """The frame that a method is given."""
    if not isinstance(frame, Frame):
        raise InvalidFrame(
            f"{method}() takes a Frame; given {described(frame)}; "
            "make one with Frame(rgb, depth_m, camera, world_from_camera, stamp_ns) or get it from a reader"
        )
    return frame


def checked_detections(detections: Any, frame: Frame) -> None:
    """The things in a frame that `observe` is given, or None."""
    if detections is None:
        return
    if isinstance(detections, (str, bytes, Mapping)) or not isinstance(detections, Sequence):
        raise InvalidValue(f"detections must be a sequence of Detection; given {described(detections)}; make a list")
    for n, detection in enumerate(detections):
        if not isinstance(detection, Detection):
            raise InvalidValue(
                f"detection {n} must be a Detection; given {described(detection)}; see spatialmem.things"
            )
        if detection.mask.shape != frame.rgb.shape[:2]:
            raise InvalidValue(
                f"the mask of detection {n} has shape {detection.mask.shape}, its frame {frame.rgb.shape[:2]}; "
                "resize it with the nearest neighbour"
            )


def of_one_session(frames: Any, method: str) -> Iterator[Frame]:
    """The frames of one session that a method is given, as they come."""
    if isinstance(frames, (str, bytes, Mapping)) or not isinstance(frames, Iterable):
        raise InvalidValue(f"frames must be frames of one session; given {described(frames)}; a reader gives them")
    return _of_one_session(frames, method)


def _of_one_session(frames: Iterable[Any], method: str) -> Iterator[Frame]:
    session_id = None
    for given in frames:
        frame = checked_frame(given, method)
        if session_id not in (None, frame.session_id):
            raise InvalidValue(
                f"these frames are of sessions {session_id!r} and {frame.session_id!r}, whose worlds lie apart; give "
                "frames of one"
            )
        session_id = frame.session_id
        yield frame


def checked_lsn(lsn: Any) -> int:
    """The number of a stored frame."""
    number = whole_number(lsn)
    if number is None:
        raise InvalidValue(
            f"lsn must be the whole number of a stored frame, from 1 on; given {described(lsn)}; see trajectory()"
        )
    return number


def checked_name(name: str, value: Any) -> str:
    """A text that is not blank, such as the name of a session."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidValue(f"{name} must be a non-empty text (str); given {described(value)}; use str() on a number")
    return value


def checked_view_camera(camera: Any) -> Camera:
    """A camera to render with, of a size that fits into RAM."""
    if not isinstance(camera, Camera):
        raise InvalidValue(f"camera must be a Camera; given {described(camera)}; use Camera.from_hfov(70, 640, 480)")
    if camera.width * camera.height > LARGEST_VIEW_MEGAPIXELS * 1_000_000:
        raise InvalidValue(
            f"a view has at most {LARGEST_VIEW_MEGAPIXELS} megapixels; given {camera.width} x {camera.height} "
            f"({camera.width * camera.height / 1e6:.0f} megapixels); use camera.scaled_to(width, height)"
        )
    return camera


def checked_points(points_m: Any, voxel_m: float) -> NDArray[np.float64]:
    """(N, 3) points, metres, finite and no farther out than keys of blocks of voxels reach; [] is (0, 3)."""
    points = numeric_array(points_m)
    if points is not None and points.shape == (0,):
        return points.reshape(0, 3)
    if points is None or points.ndim != 2 or points.shape[1] != 3:
        raise InvalidValue(
            f"points_m must be numbers of shape (N, 3), x, y, z in metres; given {_shape_of(points_m, points)}; "
            "put a single point into a list: [point]"
        )
    reach_m = (KEY_OFFSET - 1) * BLOCK * voxel_m
    wrong = ~(np.abs(points) <= reach_m).all(1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InvalidValue(
            f"points_m must be finite and within {reach_m:.0f} m of the map's origin; given "
            f"{points[row].tolist()} in row {row} ({int(wrong.sum())} such rows); leave these rows out"
        )
    return points


def checked_up(up_in_map: Any) -> NDArray[np.float64]:
    """(3,) unit vector of the direction given."""
    up = numeric_array(up_in_map)
    if up is None or up.shape != (3,) or not np.isfinite(up).all() or np.linalg.norm(up) < 1e-9:
        raise InvalidValue(
            f"up must be a finite, non-zero vector x, y, z; given {described(up_in_map)}; (0, 0, 1) is the z axis"
        )
    return up / np.linalg.norm(up)


def checked_sql(query: Any, params: Any) -> tuple[str, tuple[Any, ...]]:
    """A statement and one value for each of its question marks."""
    statement = checked_name("query", query)
    if isinstance(params, (str, bytes, Mapping)) or not isinstance(params, Iterable):
        raise InvalidValue(
            f"params must be a list or tuple with one value for each ? of the query; given {described(params)}; "
            "put a single value into a tuple: (value,)"
        )
    return statement, tuple(_sql_value(value) for value in params)


def _sql_value(value: Any) -> Any:
    if value is None or isinstance(value, (bool, str, bytes)):
        return value
    whole = whole_number(value)
    if whole is not None and not isinstance(value, (float, np.floating)):
        if not -_STAMP_LIMIT <= whole < _STAMP_LIMIT:
            raise InvalidValue(f"integers in params must fit into 64 bits; given {value}; compare with a smaller one")
        return whole
    number = real_number(value)
    if number is None:
        raise InvalidValue(f"params holds numbers, texts, bytes or None; given {described(value)}; convert it to one")
    return number


def checked_text(text: Any) -> str:
    """What to look for, in words."""
    if not isinstance(text, str):
        hint = "decode() it" if isinstance(text, bytes) else 'write what to look for, as in query("red mug")'
        raise InvalidValue(f"text must be a str; given {described(text)}; {hint}")
    if not text.strip():
        raise InvalidValue(
            f"text is empty: given {text!r}, expected words to look for; leave text out to ask for a place or time"
        )
    return text


def checked_top(top: Any) -> int:
    """The largest number of hits."""
    number = whole_number(top)
    if number is None or number < 1:
        raise InvalidValue(f"top must be a positive integer; given {described(top)}; top=10 is usual")
    return number


def checked_point(at: Any) -> NDArray[np.float64]:
    """(3,) float64 metres."""
    point = numeric_array(at)
    if point is None or point.shape != (3,) or not np.isfinite(point).all():
        raise InvalidValue(
            f"at must be a finite point x, y, z in metres; given {described(at)}; write at=(1.0, 0.5, 0.2), say"
        )
    return point


def checked_radius(radius_m: Any) -> float:
    """A distance, metres."""
    radius = finite_number(radius_m)
    if radius is None or radius <= 0:
        raise InvalidValue(
            f"radius_m must be a positive number of metres; given {described(radius_m)}; write radius_m=1.0, say"
        )
    return radius


def checked_box(box_m: Any) -> NDArray[np.float64]:
    """(2, 3) lower and upper corner, metres; infinite where there is no bound."""
    box = numeric_array(box_m)
    if box is None or box.shape != (2, 3) or np.isnan(box).any() or (box[0] > box[1]).any():
        raise InvalidValue(
            f"box_m must be (2, 3): lower and upper corner, metres; given {described(box_m)}; "
            "write box_m=[(x0, y0, z0), (x1, y1, z1)] with x0 <= x1 and so on"
        )
    return box


def checked_times(since_ns: Any, until_ns: Any) -> tuple[int, int]:
    """The first and the last nanosecond asked about; None is no bound."""
    since = 0 if since_ns is None else _checked_stamp("since_ns", since_ns)
    until = _STAMP_LIMIT - 1 if until_ns is None else _checked_stamp("until_ns", until_ns)
    if since_ns is not None and until_ns is not None and since > until:
        raise InvalidValue(
            f"since_ns must not lie after until_ns; given since_ns={since_ns}, until_ns={until_ns}; exchange them, or "
            "leave one out for no bound on that side"
        )
    return since, until


def checked_instant(stamp_ns: Any, lsn: Any) -> tuple[int, int | None]:
    """A stamp, nanoseconds, or the number of a stored frame, 0 for before the first; exactly one of them."""
    if (stamp_ns is None) == (lsn is None):
        raise InvalidValue(
            f"at() takes a stamp in nanoseconds or lsn=; given {described(stamp_ns)} and lsn={described(lsn)}; "
            "give one of them"
        )
    if lsn is not None:
        number = checked_lsn(lsn)
        if number < 0:
            raise InvalidValue(f"lsn counts stored frames from 1, and 0 is before the first; given {number}")
        return 0, number
    return _checked_stamp("stamp_ns", stamp_ns), None


def _checked_stamp(name: str, value: Any) -> int:
    stamp = whole_number(value)
    if stamp is None or not -_STAMP_LIMIT <= stamp < _STAMP_LIMIT:
        raise InvalidValue(
            f"{name} must be a whole number of nanoseconds of 64 bits, on the clock of the frames' stamps; "
            f"given {described(value)}; the newest stamp minus 600 * 10**9 is ten minutes before it"
        )
    return stamp


def _shape_of(given: Any, array: NDArray[np.float64] | None) -> str:
    return described(given) if array is None else f"shape {array.shape}"


def check_reach(map_from_camera: NDArray[np.float64], config: MemoryConfig) -> None:
    """`InvalidFrame` for a pose (4, 4) so far out that the keys of its blocks would overflow."""
    far_m = float(np.abs(map_from_camera[:3, 3]).max())
    if far_m > config.farthest_m:
        raise InvalidFrame(
            f"the camera is {far_m:.0f} m from the map's origin, more than the {config.farthest_m:.0f} m that a map "
            "of these voxels reaches; subtract a constant offset from all poses (geographic coordinates?)"
        )


def checked_correction(
    poses: object, anchor: object, session_id: object, camera_id: object = None
) -> dict[int, NDArray[np.float64]] | tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Poses by lsn, or the stamps (N,) and poses (N, 4, 4) of a trajectory; empty when only an anchor is given."""
    for name, value in (("session_id", session_id), ("camera_id", camera_id)):
        if value is not None:
            checked_name(name, value)
    if poses is None:
        if anchor is None:
            raise InvalidValue("a correction needs poses, a trajectory or an anchor")
        return {}
    if isinstance(poses, Mapping):
        return {checked_lsn(lsn): checked_transform(pose) for lsn, pose in poses.items()}
    if not isinstance(poses, tuple) or len(poses) != 2:
        raise InvalidValue(
            "poses must be a mapping of lsn to a 4x4 matrix, or a pair of stamps and matrices; given "
            f"{described(poses)}"
        )
    stamps, matrices = np.asarray(poses[0]), [checked_transform(pose) for pose in poses[1]]
    if stamps.ndim != 1 or stamps.dtype.kind not in "iu" or len(stamps) != len(matrices):
        raise InvalidValue(
            "a trajectory is (N,) integer stamps in nanoseconds and (N, 4, 4) matrices; given "
            f"{described(poses[0])} and {len(matrices)} matrices"
        )
    return stamps.astype(np.int64), np.array(matrices).reshape(-1, 4, 4)


def checked_anchor(anchor: object) -> tuple[str, NDArray[np.float64]] | None:
    """A session and its place (4, 4), or None."""
    if anchor is None:
        return None
    if not isinstance(anchor, tuple) or len(anchor) != 2:
        raise InvalidValue(f"anchor must be a pair of session_id and 4x4 matrix; given {described(anchor)}")
    return checked_name("session_id", anchor[0]), checked_transform(anchor[1])


def checked_forgetting(
    frames: Iterable[int] | None, box_m: Any, since_ns: Any, until_ns: Any
) -> tuple[list[int] | None, NDArray[np.float64] | None, tuple[int, int] | None]:
    """What `forget` is given: frames, a box, a span of time; at least one of them."""
    if frames is None and box_m is None and since_ns is None and until_ns is None:
        raise InvalidValue(
            "forget what? give frames, box_m, since_ns or until_ns; everything is forgotten by deleting the file"
        )
    numbers = None if frames is None else [checked_lsn(lsn) for lsn in frames]
    box = None if box_m is None else checked_box(box_m)
    times = None if since_ns is None and until_ns is None else checked_times(since_ns, until_ns)
    return numbers, box, times
