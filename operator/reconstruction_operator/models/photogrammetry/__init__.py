"""Photogrammetry on a CPU: overlapping photos of one object in, a coloured and a textured mesh with previews and a report out.

`pipeline` runs the stages in order:

- `input`: `photos`, `metadata`, `backgrounds`: photos as cameras write them -> upright RGB files of bounded size
- `sparse`: `features`, `pairs`, `matching`, `mapping` -> camera poses and a sparse cloud
- `dense`: `views`, `blanks`, `planesweep`, `aggregation`, `refinement`, `depthmaps` (or `patchmatch`), `fusion`, `clouds` -> a dense cloud
  with normals
- `surface`: `regions` (crop), `surface` and `poisson`, `cleanup` -> a mesh
- `placing`: `upright`, `georeference`, `frames` -> coordinates: upright, of side 1, and where on Earth that is
- `texture`: `colour`, `texture`, `unwrapping` -> coloured and textured meshes
- `output`: `glb`, `previews`, `camerafiles`, `report` -> the files of the result

Importing this package imports none of the large libraries: `PhotogrammetryModel.run` loads them.
"""

from reconstruction_operator.models.photogrammetry.model import PhotogrammetryModel

__all__ = ["PhotogrammetryModel"]
