"""The paper's experiments and those beyond it, one file each, all of one shape. See ``docs/experiments.md``."""
