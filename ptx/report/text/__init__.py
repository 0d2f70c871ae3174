"""What a report says in sentences: the summary, its cautions, what was forgotten, where the numbers come
from, and the details.
"""
