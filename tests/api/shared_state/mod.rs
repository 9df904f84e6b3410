//! What several servers share, and how they stop and heal.

automod::dir!(pub "tests/api/shared_state");
