"""Whether enhanced images are segmented better by networks that were trained on clean ones.

The protocol is section 2.5 and 3 of Singh and Singh, "Bridging classical and learned priors" (under
review for MIDL, 2026), on simulated hearts with known masks or on a user's images and masks.
"""
