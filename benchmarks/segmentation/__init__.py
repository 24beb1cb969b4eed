"""Do enhanced images segment better? Networks trained on clean images, tested on the others.

The protocol is section 2.5 and 3 of Singh and Singh, "Bridging classical and learned priors" (under
review for MIDL, 2026), on simulated hearts with known masks or on a user's images and masks.
"""
