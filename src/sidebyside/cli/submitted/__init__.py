"""``sidebyside submit``, and the commands that find a launch again."""
