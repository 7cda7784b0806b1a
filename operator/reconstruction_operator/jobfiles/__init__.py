"""The folder of a job on the shared volume: its layout, ownership notes, manifest, publishing and deletion."""
