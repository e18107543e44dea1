"""The names under which an agent or a policy finds what the body senses and what is asked of it (contracts: LeRobot's
`observation.images.<camera>` and `observation.state`)."""

from __future__ import annotations

from typing import Final

RGB: Final = "observation.images.head"
"""uint8 (H, W, 3)"""
DEPTH: Final = "observation.depth.head"
"""float32 (H, W) metres along the optical axis; 0: no reading (a gymnasium Box cannot hold NaN)"""
IDS: Final = "observation.ids.head"
"""int32 (H, W) instance ids; only where a task or its config asks for them"""
POSE: Final = "observation.pose.head"
"""float64 (4, 4) world_from_camera as the odometry says"""
STATE: Final = "observation.state"
"""float32 (5,) x, y, z of the ground (m), yaw and pitch (rad) as the odometry says"""
STAMP: Final = "observation.stamp_ns"
"""int64 ()"""
COLLIDED: Final = "observation.collided"
"""int8 (): 1 when the last move ended before its length"""

GOAL_INDEX: Final = "goal.index"
"""int64 (): which of an episode's goals it is, from 0"""
GOAL_KIND: Final = "goal.kind"
"""str: category, description, image or question"""
GOAL_TEXT: Final = "goal.text"
"""str: what to look for in words, or the question; empty for an image"""
GOAL_CHOICES: Final = "goal.choices"
"""tuple of str: what to choose the answer from; empty where the answer is free"""
GOAL_IMAGE: Final = "goal.image"
"""uint8 (H, W, 3) of the thing to be found; (0, 0, 3) where there is none"""
