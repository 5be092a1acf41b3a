"""One file a command; `__main__` imports only the one it was asked for."""
