"""Golden cases: folders of input and expectation that every engine must give, row for row."""
