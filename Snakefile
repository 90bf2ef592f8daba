# Snakemake finds the workflow by either convention. Not by `include:`, which would leave `rule all` behind.
workflow.include("workflow/Snakefile", overwrite_default_target=True)
