"""The papermill runner, Snakemake, the doctor."""
