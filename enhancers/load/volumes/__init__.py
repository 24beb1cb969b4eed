"""Volumes: a header and voxels, of which one slice is shown."""
