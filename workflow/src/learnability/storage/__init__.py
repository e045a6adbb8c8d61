"""The files that pass between the steps, packed arrays and their batches, checkpoints, and how work resumes."""
