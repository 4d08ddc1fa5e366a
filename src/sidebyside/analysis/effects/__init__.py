"""What the factors of a study do, by a linear model whose unit of replication is the seed."""
