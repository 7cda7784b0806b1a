"""Object storage: photos in from `s3://`, `gs://` and `az://`, and results out, by a process of their own (`program`)."""
