"""What MLflow's UI shows of studies: views of their runs, and variants as rows of a table."""
