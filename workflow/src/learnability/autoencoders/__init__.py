"""Frozen autoencoders behind one interface, controls among them: encoding, decoding, fidelity, fine-tuning."""
