"""Every file that passes between the steps, packed arrays and their batches, checkpoints, and how work resumes."""
