"""Which trials, where, and what is kept: a study is a pure function of definition, data and code to tables."""
