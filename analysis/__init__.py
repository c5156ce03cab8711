"""What the kept numbers say: tables, the stability of scores over splits, and what the data cannot tell."""
