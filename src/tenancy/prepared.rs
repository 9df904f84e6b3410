//! Statements that stay prepared.
//!
//! diesel prepares every UPDATE and every upsert anew, in a round trip of its own, because a
//! changeset may have another shape each time. Ours have one shape for each place in the code, so
//! they are kept, by their text.
//!
//! A change that must hit one row is judged by PostgreSQL itself: COMMIT may travel in the same
//! message, before anybody here has seen how many it hit.

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;

/// A statement that each connection prepares once.
#[derive(Clone, Copy, Debug)]
pub struct Prepared<S>(pub S);

/// An UPDATE or DELETE that fails unless it hits exactly one row.
#[derive(Clone, Copy, Debug)]
pub struct OneRow<S>(pub S);

impl<S: QueryFragment<Pg>> QueryFragment<Pg> for OneRow<S> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH hit AS (");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(" RETURNING 1) SELECT count(*)::aims_one_row FROM hit");
        Ok(())
    }
}

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
