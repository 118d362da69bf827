"""Tables that anyone can make again: one command each."""
