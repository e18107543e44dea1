"""Who asks and acts: agents, planners and policies on top of a memory."""
