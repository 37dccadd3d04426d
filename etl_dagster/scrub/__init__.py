"""The Do-Not-Call scrub: phones of the warehouse looked up in the store, and what follows recorded.

Belongs here: what needs the store and the warehouse both. Does not: either by itself (`dnc/`,
`warehouse/`), resources and progress of a run (`defs/`).
"""
