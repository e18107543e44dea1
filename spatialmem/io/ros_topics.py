"""Which topics of a recording hold colour, depth, calibration and poses. Never a silent guess between cameras.

Names follow image_transport (BASE, BASE/compressed, BASE/compressedDepth), image_proc (image_raw, image_rect) and
the rule that camera_info lies beside the image topic.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spatialmem.errors import ReadError, unknown_name
from spatialmem.io.ros_bagfile import BagFile, Topic
from spatialmem.io.ros_images import is_compressed, kind_of_image
from spatialmem.io.ros_transforms import frame_name

IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
INFO_TYPE = "sensor_msgs/msg/CameraInfo"
TF_TYPES = ("tf2_msgs/msg/TFMessage", "tf/msg/tfMessage")
ODOMETRY_TYPE = "nav_msgs/msg/Odometry"
POSE_TYPES = (ODOMETRY_TYPE, "geometry_msgs/msg/PoseStamped", "geometry_msgs/msg/PoseWithCovarianceStamped")

_TRANSPORTS = ("compressed", "compressedDepth", "zstd")
_NOT_DEPTH = ("confidence", "disparity", "infra", "/ir/")
_REGISTERED_NAMES = ("aligned", "registered")
WHAT_TO_RECORD = (
    "record a colour image, the depth image aligned to it, the camera_info of the colour image, /tf and /tf_static "
    "(or an odometry topic); see docs/my-bag.md"
)


@dataclass(frozen=True)
class ImageTopic:
    """An image topic and what its first message says."""

    name: str
    kind: str
    """ "colour", "mono", "depth" or "other" """
    frame: str
    """optical frame"""
    compressed: bool
    count: int

    @property
    def base(self) -> str:
        """The name without the transport behind it."""
        head, tail = posixpath.split(self.name)
        return head if self.compressed and tail in _TRANSPORTS else self.name

    @property
    def namespace(self) -> str:
        """Where the camera's topics lie."""
        return posixpath.dirname(self.base)

    @property
    def rectified(self) -> bool:
        """Whether the name says that the images are rectified."""
        return "rect" in posixpath.basename(self.base)


def image_topics(bag: BagFile) -> list[ImageTopic]:
    """Every image topic of the recording, by name."""
    found = []
    for topic in sorted(bag.topics.values(), key=lambda topic: topic.name):
        if topic.msgtype in IMAGE_TYPES:
            found.append(_look_at(bag, topic))
    return found


def _look_at(bag: BagFile, topic: Topic) -> ImageTopic:
    message = bag.first(topic.name)
    kind, compressed = kind_of_image(message), is_compressed(message)
    name = topic.name.lower()
    if compressed and kind == "colour" and "depth" in name and "png" in message.format.lower():
        kind = "depth"  # a node that packs 16-bit PNG itself often writes only "png"
    if kind == "depth" and any(word in name for word in _NOT_DEPTH):
        kind = "other"
    return ImageTopic(topic.name, kind, frame_name(message.header.frame_id), compressed, topic.count)


def choose_images(
    topics: Sequence[ImageTopic], rgb_topic: str | None, depth_topic: str | None
) -> tuple[ImageTopic, ImageTopic]:
    """Colour and depth topic.

    Raises:
        ReadError: none, or several that could be meant; the message lists them and the option to give.
        UnknownName: a topic was named that is not there.
    """
    colours = [named_image(topics, rgb_topic)] if rgb_topic else _colour_candidates(topics)
    found = _one_transport(t for t in topics if t.kind == "depth")
    depths = [named_image(topics, depth_topic)] if depth_topic else found
    _require_some(topics, colours, "colour image", "rgb_topic")
    _require_some(topics, depths, "depth image", "depth_topic")
    pairs = [(c, d) for c in colours for d in depths if c.frame == d.frame]
    colour = _only(_unique(c for c, _ in pairs) or colours, "rgb_topic", "colour")
    registered = [d for c, d in pairs if c is colour]
    return colour, _only(_likeliest_depth(registered or depths, colour), "depth_topic", "depth")


def named_image(topics: Sequence[ImageTopic], name: str) -> ImageTopic:
    """The image topic of that name, or whose base has it (then the raw transport first)."""
    exact = [t for t in topics if t.name == name] or _one_transport(t for t in topics if t.base == name)
    if not exact:
        raise unknown_name("image topic", name, (t.name for t in topics))
    return exact[0]


def info_topic_for(image: ImageTopic, frames: dict[str, str], given: str | None) -> str | None:
    """The camera_info topic of an image topic: the one given, the one beside it, or the only one of its frame.

    `frames` maps every camera_info topic to the frame its first message names.
    """
    if given:
        if given not in frames:
            raise unknown_name("camera_info topic", given, frames)
        return given
    beside = posixpath.join(image.namespace, "camera_info")
    if beside in frames:
        return beside
    same = [name for name, frame in frames.items() if frame == image.frame]
    return same[0] if len(same) == 1 else None


def tf_topics(topics: dict[str, Topic], image: ImageTopic) -> list[str]:
    """The transform topics to read: /tf and /tf_static, or those of the namespace of the camera."""
    found = sorted(t.name for t in topics.values() if t.msgtype in TF_TYPES)
    if any(name in ("/tf", "/tf_static") for name in found):
        return [name for name in found if name in ("/tf", "/tf_static")]
    roots = {name.strip("/").split("/")[0] for name in found}
    root = image.name.strip("/").split("/")[0]
    return [name for name in found if name.strip("/").split("/")[0] == root] if len(roots) > 1 else found


def is_static(tf_topic: str) -> bool:
    """Whether the transforms of a topic hold at all times."""
    return tf_topic.endswith("tf_static")


def pose_topics(topics: dict[str, Topic], given: str | None) -> list[str]:
    """Topics that carry poses of a body: the one given, or all."""
    found = sorted(t.name for t in topics.values() if t.msgtype in POSE_TYPES)
    if given and given not in found:
        raise unknown_name("odometry or pose topic", given, found)
    return [given] if given else found


def _colour_candidates(topics: Sequence[ImageTopic]) -> list[ImageTopic]:
    """Colour before grey; of one camera the rectified image before the raw one."""
    for kind in ("colour", "mono"):
        found = _one_transport(t for t in topics if t.kind == kind)
        if found:
            with_rectified = {t.namespace for t in found if t.rectified}
            return [t for t in found if t.rectified or t.namespace not in with_rectified]
    return []


def _one_transport(topics: Iterable[ImageTopic]) -> list[ImageTopic]:
    """One topic for each base name: raw, unless the compressed one holds far more images."""
    best: dict[str, ImageTopic] = {}
    for topic in topics:
        other = best.get(topic.base)
        if other is None or _worth(topic) > _worth(other):
            best[topic.base] = topic
    return list(best.values())


def _worth(topic: ImageTopic) -> float:
    return topic.count if topic.compressed else 2.0 * topic.count


def _likeliest_depth(depths: list[ImageTopic], colour: ImageTopic) -> list[ImageTopic]:
    """The depth topics left after each rule that leaves any."""
    rules = (
        lambda t: any(word in t.base.lower() for word in _REGISTERED_NAMES),
        lambda t: posixpath.dirname(t.namespace) == posixpath.dirname(colour.namespace),
        lambda t: t.rectified,
    )
    for rule in rules:
        depths = [t for t in depths if rule(t)] or depths
    return depths


def _unique(topics: Iterable[ImageTopic]) -> list[ImageTopic]:
    return list({topic.name: topic for topic in topics}.values())


def _only(candidates: list[ImageTopic], option: str, what: str) -> ImageTopic:
    if len(candidates) == 1:
        return candidates[0]
    names = "\n".join(f"  {option}={t.name!r}   ({t.count} images, frame {t.frame!r})" for t in candidates)
    raise ReadError(f"several topics could be the {what} image; give one of these options:\n{names}")


def _require_some(topics: Sequence[ImageTopic], found: list[ImageTopic], what: str, option: str) -> None:
    if not found:
        names = "\n".join(f"  {t.name} ({t.kind}, {t.count} images)" for t in topics) or "  none"
        raise ReadError(
            f"the recording holds no {what}; image topics found:\n{names}\n{WHAT_TO_RECORD}; "
            f"if one of them is it under an unusual name, give {option}=..."
        )
