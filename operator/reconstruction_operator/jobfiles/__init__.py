"""Job files on the shared volume: layout, workspace, kept photos, ownership notes, manifest, publishing, deletion and
trash.

`results` is the index of results by the names of their jobs; `inventory` reports the folders to Redis.
"""
