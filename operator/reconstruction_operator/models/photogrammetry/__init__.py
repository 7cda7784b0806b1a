"""Photogrammetry on a CPU: overlapping photos of one object in, a coloured and a textured mesh with previews and a
report out.

`pipeline` runs the stages in order, the first of them in `aligning`, the last in `finishing`; `kept` has the names of
those that are kept, and `run` what they hand on:

- `input`: `photos`, `metadata`, `backgrounds` -> upright RGB files of bounded size, from photos as cameras write them
- `sparse`: `features`, `pairs`, `registration`, `mapping`, `acceptance` -> camera poses and a sparse cloud
- `dense`: `selection`, `views`, `blank_areas`, `planesweep`, `refinement`, `depthmaps` (or `patchmatch`), `fusion`,
  `clouds` -> a cloud with normals
- `surface`: `regions` (crop), `surface` and `poisson`, `trimming` and `cleanup`, `consistency` -> a mesh
- `placing`: `upright`, `georeference`, `markers` -> the coordinates of the model: upright, of side 1, and its position
  on Earth
- `texture`: `colour`, `labelling`, `levelling`, `photographs`, `patches`, `texture` -> coloured and textured meshes
- `output`: `glb`, `previews`, `camerafiles`, `report`, `results` -> the files of the result

Around the stages: `model` is the entry point, `parameters` has the settings of each quality, and `quality_gates` has
the limits below which a run fails. What a function marked with `@stage` returns is kept, so that a later run reads it
back.
`timing` estimates the time left, and `progress` reports it. `parallel` runs the heavy work.

Importing this package imports none of the large libraries: `PhotogrammetryModel.run` loads them.
"""

from reconstruction_operator.models.photogrammetry.model import PhotogrammetryModel

__all__ = ["PhotogrammetryModel"]
