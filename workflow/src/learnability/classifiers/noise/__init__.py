"""Noise levels of EDM, rectified flow and variance-preserving diffusion, all described by one number, σ.

A noisy latent is z + σ·n. Flow's (1-t)·z + t·n is that with σ = t/(1-t), multiplied by 1-t; variance-preserving
√ᾱ·z + √(1-ᾱ)·n is that with σ = √((1-ᾱ)/ᾱ), multiplied by √ᾱ. A family says how σ is drawn in training, by what
the network's input is multiplied, and as what number the network is told σ.
"""
