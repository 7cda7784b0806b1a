"""Geodesy: converts places on Earth (WGS 84) to metres east, north and up of an origin, and back.

The formulas are those of Hofmann-Wellenhof et al. 2008, "GNSS", section 8.2. Heights are assumed to be ellipsoidal.
"""

from __future__ import annotations

import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Doubles

_AXIS_M = 6_378_137.0
_FLATTENING = 1 / 298.257223563
_ECCENTRICITY2 = _FLATTENING * (2 - _FLATTENING)
_ROUNDS = 6  # of the inverse; enough for an error below a millimetre


def to_local(places: Doubles, origin: Doubles) -> Doubles:
    """(n, 3): metres east, north and up of `origin`. `places` (n, 3) are latitude and longitude in degrees, and height in metres."""
    moved: Doubles = (_to_earth(places) - _to_earth(origin[None])) @ axes(origin).T
    return moved


def from_local(metres: Doubles, origin: Doubles) -> Doubles:
    """(3,): the place that is `metres` (3,) east, north and up of `origin`."""
    x, y, z = _to_earth(origin[None])[0] + axes(origin).T @ metres
    across = float(np.hypot(x, y))
    latitude, height = float(np.arctan2(z, across * (1 - _ECCENTRICITY2))), 0.0
    for _ in range(_ROUNDS):
        normal = _AXIS_M / np.sqrt(1 - _ECCENTRICITY2 * np.sin(latitude) ** 2)
        height = across / np.cos(latitude) - normal
        latitude = float(np.arctan2(z, across * (1 - _ECCENTRICITY2 * normal / (normal + height))))
    return np.array([np.degrees(latitude), np.degrees(np.arctan2(y, x)), height])


def axes(origin: Doubles) -> Doubles:
    """(3, 3): east, north and up at `origin` as rows, in the coordinates of the Earth."""
    latitude, longitude = np.radians(origin[:2])
    sin_lat, cos_lat, sin_lon, cos_lon = np.sin(latitude), np.cos(latitude), np.sin(longitude), np.cos(longitude)
    return np.array(
        [
            [-sin_lon, cos_lon, 0.0],
            [-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat],
            [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat],
        ]
    )


def _to_earth(places: Doubles) -> Doubles:
    """(n, 3): metres from the centre of the Earth."""
    latitude, longitude, height = np.radians(places[:, 0]), np.radians(places[:, 1]), places[:, 2]
    normal = _AXIS_M / np.sqrt(1 - _ECCENTRICITY2 * np.sin(latitude) ** 2)
    across = (normal + height) * np.cos(latitude)
    return np.stack(
        [
            across * np.cos(longitude),
            across * np.sin(longitude),
            (normal * (1 - _ECCENTRICITY2) + height) * np.sin(latitude),
        ],
        axis=1,
    )
