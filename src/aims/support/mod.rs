//! Clause 7: resources, competence, communication, documented information.

automod::dir!(pub "src/aims/support");
