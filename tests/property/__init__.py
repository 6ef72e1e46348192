"""Laws that hold for every input, with hypothesis."""
