//! Statements that stay prepared.
//!
//! diesel prepares every UPDATE and every upsert anew, in a round trip of its own, because a
//! changeset may have another shape each time. Ours have one shape for each place in the code, so
//! they are kept, by their text.

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;

/// A statement that each connection prepares once.
#[derive(Clone, Copy, Debug)]
pub struct Prepared<S>(pub S);

impl<S: QueryFragment<Pg>> QueryFragment<Pg> for Prepared<S> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }

    fn is_safe_to_cache_prepared(&self, _: &Pg) -> QueryResult<bool> {
        Ok(true)
    }
}

impl<S> QueryId for Prepared<S> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<S: Query> Query for Prepared<S> {
    type SqlType = S::SqlType;
}
