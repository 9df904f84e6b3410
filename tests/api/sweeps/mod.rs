//! What holds for every kind, operation, rule and write, derived from what the program declares:
//! what is added later is swept as well, or the sweep says what it has to be told.

automod::dir!(pub "tests/api/sweeps");
