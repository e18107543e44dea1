"""ROS recordings: ROS 1 bags, ROS 2 bags (sqlite3, mcap) and MCAP files, read without a ROS installation.

One pass at opening lists where every image lies and gathers calibrations and poses; images are read on demand. See
docs/my-bag.md for what to record.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import ArrayLike

from spatialmem.errors import InvalidValue, ReadError
from spatialmem.io.reader import Reader
from spatialmem.io.ros_bagfile import BagFile
from spatialmem.io.ros_index import BagIndex, Located, build_index, pair_by_stamp
from spatialmem.io.ros_poses import PoseOptions, find_poses
from spatialmem.io.ros_storage import looks_like_bag
from spatialmem.io.ros_streams import Optics, Pair
from spatialmem.io.ros_topics import (
    INFO_TYPE,
    WHAT_TO_RECORD,
    ImageTopic,
    choose_images,
    image_topics,
    info_topic_for,
    pose_topics,
    tf_topics,
)
from spatialmem.io.ros_transforms import frame_name
from spatialmem.types import Frame

_UPRIGHT_FRAMES = ("map", "odom")


class RosbagReader(Reader):
    """Colour, registered depth and poses of one camera in a ROS recording.

    Frames are the colour images that have a depth image near enough in time, in order of recording; their stamp is
    that of the colour image's header. `reader[i]` reads the messages anew each time. Usable as a context manager.

    Args:
        path: a .bag, .mcap or .db3 file, or the folder of a ROS 2 bag.
        strict: raise `BadFrame` while iterating instead of skipping.
        session_id: session given to every frame; None: the name of the file or folder.
        rgb_topic, depth_topic: image topics; None: found by type, encoding and name, refused when ambiguous.
        camera_info_topic, depth_info_topic: calibrations; None: the camera_info beside each image topic.
        odom_topic: take poses from this Odometry, PoseStamped or PoseWithCovarianceStamped topic; None: from tf,
            or, where tf reaches no world frame, from the only such topic.
        trajectory: take poses from this file instead (`stamp tx ty tz qx qy qz qw`, seconds on the clock of the
            images), those of `body_frame`, or of the colour camera's optical frame where none is given.
        body_frame: frame the poses of that topic or file are of; None: what the message says (child_frame_id).
        body_from_camera: (4, 4) static offset from the colour camera's optical frame to the body, where tf
            does not have it.
        world_frame: frame of the poses; None: map, else odom, else world, whichever tf connects to the camera.
        camera_frame: optical frame of the colour camera in tf; None: what the image headers say.
        ros_distro: distribution whose message definitions to use for bags without any (older sqlite3 bags).
        depth_scale: integer depth divided by this is metres (REP-118: 1000).
        pair_tolerance_s: largest difference of stamps of a colour and a depth image, seconds.
        max_gap_s: largest gap between two poses that is interpolated across, seconds.

    Raises:
        ReadError: damaged; no depth, calibration or poses; several topics that could be meant.
        InvalidValue, UnknownName: an option out of range, a topic that is not there.
        MissingDependency: `rosbags` is not installed.
    """

    format_name = "rosbag"
    layout = "a .bag, .mcap or .db3 file, or the folder of a ROS 2 bag"

    def __init__(  # noqa: PLR0913  every option is one of `read`
        self, path: str | Path, *, strict: bool = False, session_id: str | None = None,
        rgb_topic: str | None = None, depth_topic: str | None = None,
        camera_info_topic: str | None = None, depth_info_topic: str | None = None,
        odom_topic: str | None = None, trajectory: str | Path | None = None,
        body_frame: str | None = None, body_from_camera: ArrayLike | None = None,
        world_frame: str | None = None, camera_frame: str | None = None, ros_distro: str | None = None,
        depth_scale: float = 1000.0, pair_tolerance_s: float = 0.02, max_gap_s: float = 0.5,
    ) -> None:  # fmt: skip
        """Open a recording and read it through once; options and errors are those of the class."""
        super().__init__(path, strict=strict, session_id=session_id)
        _require_positive(depth_scale=depth_scale, pair_tolerance_s=pair_tolerance_s, max_gap_s=max_gap_s)
        pose_options = PoseOptions.checked(world_frame, odom_topic, body_frame, body_from_camera, trajectory)
        self._bag = BagFile(self.path, ros_distro)
        with ExitStack() as undo:
            undo.callback(self._bag.close)
            images = image_topics(self._bag)
            self.colour, self.depth = choose_images(images, rgb_topic, depth_topic)
            info, depth_info = self._info_topics(camera_info_topic, depth_info_topic)
            index = self._index(info, depth_info, odom_topic, round(max_gap_s * 1e9))
            stated = camera_frame or self.colour.frame or index.infos[info].messages[0].header.frame_id
            self._camera_frame = frame_name(stated)
            self._poses = find_poses(index, self._camera_frame, pose_options)
            self._pair = self._optics(index, info, depth_info, depth_scale)
            self._frames = self._paired(index, round(pair_tolerance_s * 1e9))
            undo.pop_all()
        self.frame_id = self._poses.world_frame
        self.recording_id = f"{self._bag.start_ns}-{self.frame_id}"  # of every camera in the bag
        self._report(index, info, ros_distro)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return looks_like_bag(path)

    def __len__(self) -> int:
        return len(self._frames)

    def describe(self, index: int) -> str:
        colour, _ = self._frames[index]
        return f"frame {index} ({self.colour.name} at {colour.stamp_ns / 1e9:.3f} s)"

    def read_frame(self, index: int) -> Frame:
        """Frame `index`; depth is declared to be in metres, because the encoding says so (REP-118)."""
        colour, depth = self._frames[index]
        pose = self._poses.world_from_camera(colour.stamp_ns)  # first: a lost pose spares decoding
        picture = self._pair.picture(self._bag.read(colour.ref), self._bag.read(depth.ref), colour.stamp_ns)
        return Frame(
            picture.rgb, picture.depth_m, picture.camera, pose, colour.stamp_ns, self.session_id, self.colour.base,
            index, picture.valid, depth_unit="m",
        )  # fmt: skip

    def close(self) -> None:
        """Close the files; frames cannot be read afterwards."""
        self._bag.close()

    def __enter__(self) -> RosbagReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _info_topics(self, given: str | None, given_depth: str | None) -> tuple[str, str | None]:
        names = [t.name for t in self._bag.topics.values() if t.msgtype == INFO_TYPE]
        frames = {name: frame_name(self._bag.first(name).header.frame_id) for name in names}
        info = info_topic_for(self.colour, frames, given)
        if info is None:
            raise ReadError(
                f"no camera_info belongs to {self.colour.name} (frame {self.colour.frame!r}); camera_info topics: "
                f"{', '.join(sorted(frames)) or 'none'}; give camera_info_topic=..., or {WHAT_TO_RECORD}"
            )
        depth_info = info_topic_for(self.depth, frames, given_depth)
        return info, depth_info

    def _index(self, info: str, depth_info: str | None, odom_topic: str | None, max_gap_ns: int) -> BagIndex:
        topics = self._bag.topics
        infos = {info, depth_info} - {None}
        index = build_index(
            self._bag, [self.colour.name, self.depth.name], sorted(name for name in infos if name),
            tf_topics(topics, self.colour), pose_topics(topics, odom_topic), max_gap_ns,
        )  # fmt: skip
        empty = [name for name, history in index.infos.items() if not history.messages]
        if empty:
            raise ReadError(f"no message of {empty[0]} in {self.path} decodes; give another camera_info_topic")
        return index

    def _optics(self, index: BagIndex, info: str, depth_info: str | None, depth_scale: float) -> Pair:
        colour_optics = Optics(index.infos[info], info, self.colour.rectified)
        depth_optics = None
        if depth_info:
            depth_optics = Optics(index.infos[depth_info], depth_info, self.depth.rectified)
        return Pair(
            self.colour, self.depth, colour_optics, depth_optics, index.transforms, self._camera_frame, depth_scale
        )

    def _paired(self, index: BagIndex, tolerance_ns: int) -> list[tuple[Located, Located]]:
        colours, depths = index.images[self.colour.name], index.images[self.depth.name]
        colour_ns, depth_ns = _stamps(colours, self.colour), _stamps(depths, self.depth)
        chosen, partners = pair_by_stamp(colour_ns, depth_ns, tolerance_ns)
        if chosen.size == 0:
            nearest = min(abs(int(a) - int(b)) for a in colour_ns[:1] for b in depth_ns) if depth_ns.size else 0
            raise ReadError(
                f"no image of {self.depth.name} is within {tolerance_ns / 1e6:g} ms of one of {self.colour.name} "
                f"(nearest to the first: {nearest / 1e6:.1f} ms); raise pair_tolerance_s, or check that both cameras "
                "stamp with one clock"
            )
        apart = np.abs(colour_ns[chosen] - depth_ns[partners]) / 1e6
        self.note(
            f"{chosen.size} of {colour_ns.size} colour images have a depth image ({depth_ns.size}) within "
            f"{tolerance_ns / 1e6:g} ms: median {np.median(apart):.2f} ms apart, at most {apart.max():.2f} ms"
        )
        return [(colours[i], depths[j]) for i, j in zip(chosen, partners, strict=True)]

    def _report(self, index: BagIndex, info: str, ros_distro: str | None) -> None:
        self.note(f"colour from {self.colour.name}, depth from {self.depth.name}, intrinsics from {info}")
        self.note(self._pair.described())
        self.note(self._poses.described)
        for line in _particulars(index, self._pair.colour_optics):
            self.note(line)
        if not self._bag.has_definitions:
            self.note(f"the bag carries no message definitions; those of ROS {ros_distro or '2 (latest)'} are used")
        if self.frame_id in _UPRIGHT_FRAMES:
            self.up_in_world = (0.0, 0.0, 1.0)
            self.note(f"up is z of {self.frame_id!r} (REP-105)")


def _particulars(index: BagIndex, optics: Optics) -> list[str]:
    """Lines of the report that only some recordings need."""
    lines = []
    if optics.first.distortion:
        lines.append("images are not rectified; colour and depth are rectified here, to the same focal lengths")
    if optics.changes:
        lines.append(f"the calibration changes {optics.changes} times; each frame gets the one in force")
    if index.transforms.dropped:
        lines.append(f"{index.transforms.dropped} transforms are no rigid motions and are left out")
    return lines + [f"{count} messages of {topic} do not decode" for topic, count in index.undecoded.items()]


def _stamps(images: list[Located], topic: ImageTopic) -> np.ndarray:
    """(N,) int64; `ReadError` when the driver did not stamp its images."""
    stamps = np.array([image.stamp_ns for image in images], dtype=np.int64)
    if stamps.size and not stamps.any():
        raise ReadError(
            f"the headers of {topic.name} carry no time stamps (all zero), so images cannot be placed in time; "
            "make the driver stamp them and record again"
        )
    return stamps


def _require_positive(**options: float) -> None:
    for name, value in options.items():
        if not (np.isfinite(value) and value > 0.0):
            raise InvalidValue(f"{name} must be finite and above zero; given {value!r}")
