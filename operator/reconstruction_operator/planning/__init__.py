"""Decisions, and nothing else: no I/O, no clock, no kopf, no redis.

`plan` turns a job and what was observed of it into what to do; `scheduling` says who goes next across jobs.
"""
