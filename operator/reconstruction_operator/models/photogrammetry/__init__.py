"""Photogrammetry on a CPU: overlapping photos of one thing in, a coloured and a textured mesh with previews out.

The way there, one module each: `photos` -> `features` -> `matching` -> `mapping` (where was each camera?) ->
`views` -> `planesweep` + `aggregation` -> `depthmaps` (how far is each pixel?) -> `fusion` -> `surface` -> `cleanup`
-> `orientation` -> `colour`, `texture` -> `export`, `previews`. `pipeline` strings them together.

Importing this package imports none of the big libraries: they are loaded when `PhotogrammetryModel.run` starts.
"""

from reconstruction_operator.models.photogrammetry.model import PhotogrammetryModel

__all__ = ["PhotogrammetryModel"]
