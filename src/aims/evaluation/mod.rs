//! Clause 9: measurement, internal audit, management review.

automod::dir!(pub "src/aims/evaluation");
