"""JupyterLab: `kit lab`, SQL magics, progress in a cell and the promotion form. Heavy: import its modules by name."""
