"""Object storage: fetches photos from `s3://`, `gs://` and `az://` and delivers results there, in a separate process (`program`)."""
