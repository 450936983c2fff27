"""Releases: the catalog in three formats, what describes it, how it is published once and verified by anyone."""
