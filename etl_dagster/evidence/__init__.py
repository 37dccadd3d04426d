"""The evidence for one phone, as a folder that a lawyer can read and a script can prove.

Belongs here: what is put together from the ledger, the raw answers and the Do-Not-Call store, and
how it is shown. Does not: deciding anything, reading tables (`warehouse/`), lists (`dnc/`).
"""
