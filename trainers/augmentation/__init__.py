"""Making label maps and photographs look otherwise: the chain of operations, and those of them that are made faster."""
