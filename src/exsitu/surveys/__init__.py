"""Adapters from published surveys to tables with the registry's names, types and units."""
