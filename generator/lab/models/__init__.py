"""The networks and their memories. Device and dtype are arguments; nothing here chooses one."""
