//! Who somebody is, how they prove it, and what they are let into.

mod endings;
mod escalation;
mod forged_tokens;
mod invitations;
mod refresh;
mod session_model;
mod sessions;
mod sign_in;
mod throttling;
