"""Pictures, films and Rerun recordings of episodes; nothing that a result depends on."""
