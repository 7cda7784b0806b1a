"""Input: photo preparation, metadata of the photo files, and masks of still backgrounds."""
