//! Clause 6: risks and opportunities.

automod::dir!(pub "src/aims/risk_opp");
