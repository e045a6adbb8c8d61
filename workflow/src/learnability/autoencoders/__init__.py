"""Frozen autoencoders and controls behind one interface: encoding, decoding, fidelity, fine-tuning."""
