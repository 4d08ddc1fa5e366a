"""What can be chosen, which an installed package holds as ``pkg://sidebyside.conf``."""
