"""The contracts: what each service says on the bus, one module per publishing service; pydantic and nothing else."""
