"""Dashboards: the programs through which users see jobs, and the browser of tests of pages."""
