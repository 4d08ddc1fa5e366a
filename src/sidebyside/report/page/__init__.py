"""The report as one page of HTML, with the pictures that it shows."""
