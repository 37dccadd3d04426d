"""The Do-Not-Call scrub: phones of the warehouse looked up in the store, and what follows.

Belongs here: what needs the store and the warehouse both: a chunk decided, published leads taken
back, old verdicts decided again, and what they rest on kept so long. Does not: either by itself
(`dnc/`, `warehouse/`), resources and progress of a run (`defs/`).
"""
