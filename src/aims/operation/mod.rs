//! Clause 8: AI systems and what keeps them under control.

automod::dir!(pub "src/aims/operation");
