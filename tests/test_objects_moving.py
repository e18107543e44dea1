"""When a thing is taken for one that was moved, and when what stands in its place for another one."""

from __future__ import annotations

import numpy as np
import object_cases as cases
import synthetic as room

from spatialmem.objects.explored import Explored
from spatialmem.objects.lifting import observations_of
from spatialmem.objects.looking import SeenFrame
from spatialmem.objects.moving import moved_from
from spatialmem.objects.regroup import Regrouping
from spatialmem.objects.track import Track
from spatialmem.types import Presence


def seen(number: int, lsn: int) -> SeenFrame:
    frame = room.room_frame(number, cases.LAP)
    return SeenFrame(lsn, 0, frame.pose, observations_of([], frame.depth_m, None, frame.camera, None, (0.1, 6.0)))


def test_a_place_is_known_from_the_first_frame_that_looked_at_it():
    explored, frame = Explored(), seen(0, 4)
    h, w = frame.seen.depth_m.shape
    ahead = float(frame.seen.depth_m[h // 2, w // 2]) * frame.map_from_camera[:3, 2] + frame.map_from_camera[:3, 3]
    near = ahead - 0.5 * frame.map_from_camera[:3, 2]
    behind = frame.map_from_camera[:3, 3] - frame.map_from_camera[:3, 2]
    assert explored.since(ahead[None], 9) == 9, "nothing was looked at"
    explored.take(frame)
    explored.take(seen(0, 7))
    assert [explored.since(p[None], 9) for p in (ahead, near, behind)] == [4, 4, 9]
    assert explored.since(np.array([ahead, behind, behind, behind, behind]), 9) == 9
    assert explored.since(np.array([ahead, near, behind, behind]), 9) == 4


def track(number: int, x_m: float, first: int, last: int, *, known: int = 1, label: str = "mug", cosine: float = 1.0):
    """A thing of 20 cm, seen in frames `first` to `last`, whose place is known since frame `known`."""
    made = Track(number, 2)
    made._add_points(np.random.default_rng(1).uniform((x_m, 0, 0), (x_m + 0.2, 0.2, 0.2), (60, 3)))
    made.feature_sum, made.labels = np.array([cosine, (1 - cosine**2) ** 0.5]), {label: 1.0}
    made.first_lsn, made.last_lsn, made.held_lsn, made.known_lsn = first, last, last, known
    return made


def test_a_thing_was_moved_to_where_nothing_had_been():
    gone = track(1, 0.0, 1, 20)
    came, always = track(2, 3.0, 40, 50, known=20), track(3, 2.0, 40, 50, known=38)
    assert moved_from(gone, [came]) is came
    assert moved_from(gone, [always]) is None, "its place was new: it may have been there always"
    assert moved_from(gone, [always, came]) is came
    before = track(4, 3.0, 15, 50, known=1)
    assert moved_from(gone, [before]) is None, "both were seen at one time"
    held = track(5, 0.0, 1, 20)
    held.held_lsn = 45
    assert moved_from(held, [came]) is None, "its place held it when the other was there already"
    again = track(6, 0.02, 40, 50, known=38)
    assert moved_from(held, [again]) is again, "the same place: frames that saw through it were wrong"


def test_what_has_one_name_may_look_less_alike_elsewhere():
    gone = track(1, 0.0, 1, 20)
    assert moved_from(gone, [track(2, 3.0, 40, 50, cosine=0.55)]) is not None
    assert moved_from(gone, [track(2, 3.0, 40, 50, cosine=0.45)]) is None
    assert moved_from(gone, [track(2, 3.0, 40, 50, label="cup")]) is None
    nameless = track(1, 0.0, 1, 20, label="")
    assert moved_from(nameless, [track(2, 3.0, 40, 50, cosine=0.55, label="")]) is None


def replaced(memory, name: str, laps: int) -> dict:
    """The red box stood there for a lap, nobody looks there for three frames of some laps, then one of another name
    stands there."""
    boxes = [box._replace(name=name) if box.name == "red" else box for box in room.BOXES]
    for lap in range(1, laps + 1):
        cases.observe(memory, cases.lap(lap, steps=range(5, 8)))  # the blue box is ahead, the red one behind
    cases.observe(memory, cases.lap(laps + 1, boxes), boxes)
    return {thing.name: thing for thing in memory.objects()}


def test_a_thing_in_whose_place_another_one_stands_is_gone():
    with cases.remembered(None) as memory:
        things = replaced(memory, "vase", 8)
    assert things["red"].presence is Presence.GONE and things["vase"].presence is not Presence.GONE


def test_a_thing_that_is_called_otherwise_for_a_moment_is_the_same():
    with cases.remembered(None) as memory:
        number = cases.by_name(memory)["red"].object_id
        things = replaced(memory, "vase", 0)
    assert len(things) == len(room.BOXES) and number in {thing.object_id for thing in things.values()}


def test_what_was_taken_from_a_table_is_no_part_of_it():
    """Flat things do not hide what they lie on: their points are where the table is, in its mask."""
    for names, joined in (
        (("table", "keys"), False),
        (("table", "table"), True),
        (("table", ""), True),
        (("", ""), True),
    ):
        one, other = (track(n, 0.0, 1, 20, label=name) for n, name in enumerate(names, start=1))
        regrouping = Regrouping()
        for _ in range(3):
            regrouping._count(regrouping._together, one, other)
        assert regrouping.joined() == ([(one, other)] if joined else [])
