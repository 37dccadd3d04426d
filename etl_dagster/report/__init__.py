"""The day's page: what became of its leads, from which evidence, and what to do. Counts only.

page.py      the whole page, from one `Report`
chart.py     the funnel as a picture (SVG)
changes.py   the day beside the same weekday the week before
lists.py     the Do-Not-Call lists that the day was scrubbed with
api.py       what CCC was asked and answered, and what that cost
advice.py    why phones are unknown, and what to do about it
markdown.py  tables and text that no name can break
preview.py   what a run of a day would do and cost
"""
