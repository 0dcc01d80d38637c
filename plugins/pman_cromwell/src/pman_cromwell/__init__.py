"""Jobs on SLURM, through Cromwell's REST API."""
