"""Release: the files of one version in `dist/`. `python -m scripts.release --help`, docs/releasing.md."""
