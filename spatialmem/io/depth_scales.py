"""Depth in metres = raw value / scale, for the formats that fix it.

Sources: the documentation of each data set; TUM file formats page, ScanNet's exporter (png depth in
millimetres), NICE-SLAM's Replica configuration (`png_depth_scale`), the read-me of 7-Scenes, Open3D's default.
"""

from __future__ import annotations

TUM = 5000.0
SEVEN_SCENES = 1000.0
REDWOOD = 1000.0
REPLICA = 6553.5
SCANNET = 1000.0
MILLIMETRES = 1000.0
"""RealSense (D400), Azure Kinect, and ROS 16UC1 images (REP-118)"""
