"""One file a stage: a function of files that reads, computes, gates, logs and writes. See ``docs/architecture.md``."""
