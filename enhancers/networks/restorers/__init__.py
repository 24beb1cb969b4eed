"""Networks that were trained on pairs of a simulated acquisition and its clean image.

Each takes a gray image in [-1, 1] with planes that name its modality (`conditions`), and estimates
what has to be added to it.
"""
