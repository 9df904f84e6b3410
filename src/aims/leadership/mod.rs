//! Clause 5: leadership, policy, roles.

automod::dir!(pub "src/aims/leadership");
