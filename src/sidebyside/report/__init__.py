"""The report of a study: what it is made from, its sentences, tables, pictures and page."""
