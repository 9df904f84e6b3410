//! Clause 4: understanding the organisation and its context.

automod::dir!(pub "src/aims/context");
