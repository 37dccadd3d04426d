"""Scrub leads against litigator and Do-Not-Call lists: fail closed, provable, fast."""
