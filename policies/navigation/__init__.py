"""Ways over the free space of a memory, and walking them: routes, a follower, an explorer (docs/navigation.md)."""
