"""Object storage: fetches photos from `s3://`, `gs://` and `az://`, and delivers results there.

A separate process transfers objects (`program`). The worker sends it a request (`process`).
"""
