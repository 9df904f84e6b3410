//! Clause 10: nonconformity, corrective action, improvement.

automod::dir!(pub "src/aims/improvement");
