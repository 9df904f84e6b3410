//! What people and pages see in a real browser, and what a fuzzer makes of the document.

mod docs;
mod driver;
mod schemathesis;
mod spa;
