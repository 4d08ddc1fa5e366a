"""What the runs of a study show: computed here, told and drawn in `sidebyside.report`."""
