"""Fixed linear maps of normalised latents in front of a network: each module's `build` makes one, whose input is that
of `Classifier.logits` and whose output has the same shape, in float32 whatever the network computes in.
"""
