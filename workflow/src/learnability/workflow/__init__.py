"""What surrounds a job: its log, the digest of its code, the hub, the launcher, SLURM."""
