"""Tasks on Ray Core: on this machine, or on the nodes of a cluster that is joined."""
