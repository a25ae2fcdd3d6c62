"""One command a file. A command wires rooms together; it decides nothing that a room could decide."""
