"""Pix2Pix: a U-Net that was trained with an absolute error and against a discriminator.

Isola et al., "Image-to-image translation with conditional adversarial networks", CVPR 2017.
"""

from enhancers.trained.one_call import run, work

__all__ = ["run", "work"]
