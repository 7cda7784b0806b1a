"""Advice files: `advice.json`, the same as GeoJSON for a drone, and a picture for each standpoint, from the photo that
was taken nearest to it.

docs/results.md describes them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from reconstruction_operator.models.interface import Placement
from reconstruction_operator.models.photogrammetry.advice.standpoints import Standpoint
from reconstruction_operator.models.photogrammetry.arrays import Doubles, Pixels
from reconstruction_operator.models.photogrammetry.input.photos import read_pixels
from reconstruction_operator.models.photogrammetry.output import camerafiles
from reconstruction_operator.models.photogrammetry.placing import georeference
from reconstruction_operator.models.photogrammetry.sparse.mapping import AlignedPhoto

_FORMAT, _VERSION = "reconstruction-operator/advice", 1
_PICTURES = "standpoints"  # a folder, so that the status names other files first
_SIDE_PX = 640  # of a picture
_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 80)
_ORANGE = (0, 140, 255)  # BGR
_REACH = 0.35  # of the longest arrow, as a share of the picture's width
_FULL_TURN_DEG = 45.0  # which it shows
_CIRCLE = 0.05  # radius, as a share of the width
_LEVEL = 0.1  # of the distance from the target: a smaller rise or step is not worth a word


@dataclass(frozen=True, eq=False, slots=True)
class Advice:
    """A standpoint as people see it."""

    standpoint: Standpoint
    photo: str  # name of the user's photo that was taken nearest to it
    text: str  # where to go from there
    picture: bytes  # JPEG: that photo, with a circle around what to look at, and an arrow to where to go


def described(
    chosen: Sequence[Standpoint], photos: Sequence[AlignedPhoto], pictures: Sequence[Path], metres: float | None
) -> list[Advice]:
    """Return the standpoints as people see them.

    `photos` are placed, and `pictures` the files of their upright pixels. `metres`: a unit of the model, None: unknown.
    """
    return [
        Advice(
            place,
            photos[place.nearest].name,
            sentence(place, photos[place.nearest].name, metres),
            _jpeg(drawn(place, photos[place.nearest], pictures[place.nearest])),
        )
        for place in chosen
    ]


def summary(advice: Sequence[Advice]) -> str:
    """Return the advice in a few words; empty without any."""
    if not advice:
        return ""
    gain = sum(place.standpoint.gain for place in advice)
    photos = "1 more photo" if len(advice) == 1 else f"{len(advice)} more photos"
    return f"{photos} would show {max(1, round(100 * gain))} % more of the surface well: see report.html"


def sentence(place: Standpoint, photo: str, metres: float | None) -> str:
    """Return how to go to the place from where the photo of that name was taken."""
    right, up, ahead = place.way
    far = "" if metres is None else f", {place.distance * metres:.2g} m from it"
    least = _LEVEL * place.distance
    height = "" if abs(up) < least else ", a little higher" if up > 0 else ", a little lower"
    if place.turn_deg is not None:
        side = "right" if place.turn_deg > 0 else "left"
        turn = round(abs(place.turn_deg))
        way = f"go {turn}° to the {side} around the object" if turn else "stay on that side of the object"
        return f"From where you took {photo}, {way}{far}{height}, and look at its middle"
    steps = [
        f"{words[int(step < 0)]} by {_length(abs(step), place.distance, metres)}"
        for step, words in ((right, ("to the right", "to the left")), (ahead, ("ahead", "back")))
        if abs(step) >= least
    ]
    way = f"go {' and '.join(steps)}" if steps else "stay there"
    sight = "look the same way"
    if round(place.yaw_deg):
        sight = f"look {abs(place.yaw_deg):.0f}° farther to the {'right' if place.yaw_deg > 0 else 'left'}"
    return f"From where you took {photo}, {way}{height}, and {sight}"


def write(folder: Path, advice: Sequence[Advice], *, metres: float | None, placement: Placement | None) -> None:
    """Write `advice.json`, `standpoints/1.jpg` and so on to the folder, and `advice.geojson` if the place is known."""
    (folder / _PICTURES).mkdir()
    entries = []
    for number, place in enumerate(advice, start=1):
        name = f"{_PICTURES}/{number}.jpg"
        (folder / name).write_bytes(place.picture)
        entries.append(_entry(place, name, metres))
    content: dict[str, object] = {"format": _FORMAT, "version": _VERSION, "coordinates": camerafiles.COORDINATES}
    if placement is not None:
        on_earth = [_on_earth(place.standpoint, placement) for place in advice]
        entries = [entry | {"place": place} for entry, place in zip(entries, on_earth, strict=True)]
        features = [_feature(entry, place) for entry, place in zip(entries, on_earth, strict=True)]
        collection = {"type": "FeatureCollection", "features": features}
        (folder / "advice.geojson").write_text(json.dumps(collection, indent=1) + "\n")
    (folder / "advice.json").write_text(json.dumps(content | {"standpoints": entries}, indent=1) + "\n")


def drawn(place: Standpoint, photo: AlignedPhoto, picture: Path) -> Pixels:
    """(h, w, 3): the photo, reduced (BGR), with a circle around what to look at, and an arrow to where to go."""
    image = read_pixels(picture, cv2.IMREAD_COLOR)
    scale = min(1.0, _SIDE_PX / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    thick = max(2, width // 160)
    pixels, depths = photo.camera.resized(width, height).project(place.target[None])
    column, row = np.rint(pixels[0])
    if depths[0] > 0 and 0 <= column < width and 0 <= row < height:
        cv2.circle(small, (int(column), int(row)), round(_CIRCLE * width), _ORANGE, thick, cv2.LINE_AA)
    right, up, ahead = place.way
    across = right / place.distance if place.turn_deg is None else place.turn_deg / _FULL_TURN_DEG
    upwards = up + ahead if place.turn_deg is None else up
    reach = np.clip([across, -upwards / place.distance], -1.0, 1.0) * _REACH * width
    begin = np.array([width / 2, 0.75 * height])
    end = np.clip(begin + reach, 0, [width - 1, height - 1])
    cv2.arrowedLine(small, _point(begin), _point(end), _ORANGE, 2 * thick, cv2.LINE_AA, tipLength=0.25)
    return np.asarray(small, dtype=np.uint8)


def _point(place: Doubles) -> tuple[int, int]:
    return round(float(place[0])), round(float(place[1]))


def _jpeg(picture: Pixels) -> bytes:
    done, content = cv2.imencode(".jpg", picture, _JPEG)
    if not done:
        raise ValueError("OpenCV cannot write the picture as a JPEG")
    return content.tobytes()


def _length(length: float, distance: float, metres: float | None) -> str:
    """Return the length in metres, or as a share of the distance from what is looked at."""
    if metres is not None:
        return f"{length * metres:.2g} m"
    return f"{100 * length / distance:.0f} % of the distance to the object"


def _entry(advice: Advice, picture: str, metres: float | None) -> dict[str, object]:
    place = advice.standpoint
    turn = {} if place.turn_deg is None else {"turnDegrees": round(place.turn_deg, 1)}
    size = {} if metres is None else {"metres": float(f"{place.distance * metres:.4g}")}
    return {
        "position": _rounded(place.position),
        "direction": _rounded(place.direction),
        "distance": round(place.distance, 5),
        **size,
        "gain": round(place.gain, 4),
        "nearestPhoto": advice.photo,
        **turn,
        "picture": picture,
        "text": advice.text,
    }


def _on_earth(place: Standpoint, placement: Placement) -> dict[str, float]:
    """Return the place in WGS 84, the heading from north to east, and the pitch: 0 is level, -90 straight down."""
    turn = np.array(placement.rotation).reshape(3, 3)
    origin = np.array([placement.latitude, placement.longitude, placement.altitude])
    latitude, longitude, altitude = georeference.from_local(placement.metres_per_unit * turn @ place.position, origin)
    east, north, up = turn @ place.direction
    return {
        "latitude": round(float(latitude), 7),
        "longitude": round(float(longitude), 7),
        "altitude": round(float(altitude), 2),
        "heading": round(float(np.degrees(np.arctan2(east, north))) % 360.0, 1),
        "pitch": round(float(np.degrees(np.arcsin(np.clip(up, -1.0, 1.0)))), 1),
    }


def _feature(entry: Mapping[str, object], place: Mapping[str, float]) -> dict[str, object]:
    """Return the entry as a feature of GeoJSON (RFC 7946)."""
    properties = {name: entry[name] for name in ("text", "nearestPhoto", "gain", "distance", "metres") if name in entry}
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [place["longitude"], place["latitude"], place["altitude"]]},
        "properties": {"heading": place["heading"], "pitch": place["pitch"], **properties},
    }


def _rounded(vector: Doubles) -> list[float]:
    return [round(float(number), 5) for number in vector]
