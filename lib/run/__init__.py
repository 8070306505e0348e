"""Run notebooks with papermill, run Snakemake, check the installation (`doctor`) and the results (`verify`)."""
