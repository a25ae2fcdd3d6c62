"""What a contract compiles to for others to read, a target a module: each a pure function of the contract."""
