"""Networks that make one clear image of a spine from projections at several depths.

"Morphological-consistent diffusion network for ultrasound coronal image enhancement" (Zhou et al.):
a diffusion network knows artefact-free images (`unet`), a segmentation network of the same shape
says what structures an image has, and tuners in the skip connections of the former follow the
features of the latter (`tuner`), fused over depths.
"""
