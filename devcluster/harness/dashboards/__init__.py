"""Dashboards: the programs through which users see jobs."""
