"""What runs a study: hashes of code, locks, SLURM, plans, run times."""
