"""Frozen autoencoders behind one interface, including controls: encoding, decoding, fidelity, fine-tuning."""
