"""What tests of several packages need: projects, processes, sweeps, promises."""
