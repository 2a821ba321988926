"""Where shapes and search meet: grids from plans, files of a plan, the demo."""
