//! People: accounts, sign-in, sessions, access tokens and their keys, invitations.
//!
//! | file | question |
//! |---|---|
//! | `keys.rs` | which keys sign and verify access tokens? |
//! | `tokens.rs` | is this access token genuine? |
//! | `refresh.rs` | what does a refresh token look like, and which one follows it? |
//! | `sessions.rs` | how does a sign-in begin, go on and end? |
//! | `passwords.rs` | is this the password, and is it good enough? |
//! | `hashing.rs` | how are passwords hashed in memory that is bounded? |
//! | `accounts.rs` | who has an account? |
//! | `names.rs` | what may firms, clients and people be called? |
//! | `desk.rs` | what does a handler need before anybody is signed in? |
//! | `throttle.rs` | how often may somebody try? |
//! | `cookies.rs` | how does a browser keep its refresh token? |
//! | `grants.rs` | who may give which role in a tenant? |
//! | `independence.rs` | may somebody of a consultancy hold this role of its client? |
//! | `invitations.rs` | how is somebody invited, and what do they join? |
//! | `invited.rs` | how do invitations stand now? |
//! | `joining.rs` | what does accepting an invitation lead to? |
//! | `listing.rs`, `patch.rs` | how are lists cut into pages, and how are patches read? |
//! | `routes/` | the operations over HTTP |

pub mod accounts;
mod cookies;
pub mod desk;
pub mod grants;
mod hashing;
pub(crate) mod independence;
pub mod invitations;
pub(crate) mod invited;
pub(crate) mod joining;
pub mod keys;
pub mod listing;
pub mod names;
pub mod passwords;
pub mod patch;
mod refresh;
mod routes;
pub mod sessions;
pub mod throttle;
pub mod tokens;

pub use keys::Keys;
pub use routes::routes;
pub use tokens::Tokens;
