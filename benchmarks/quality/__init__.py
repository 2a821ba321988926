"""Quality of partitions: instances x seeds x budgets x solvers, each run in a process of its own."""
