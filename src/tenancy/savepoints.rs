//! Parts of a transaction that can be taken back by themselves.

use super::chain::{Chain, Head};
use super::tx::TenantTx;
use crate::problem::Result;

/// A point in a transaction; see [`TenantTx::mark`].
pub struct Mark(Option<Head>);

impl<'c> TenantTx<'c> {
    /// Runs `work` so that its failure takes back what it did and nothing else. References are
    /// checked at its end, not only at the commit.
    pub async fn nested<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut TenantTx<'c>) -> Result<T>,
    ) -> Result<T> {
        self.flush().await?;
        if self.opening.is_some() {
            self.run(async |_| Ok(())).await?;
        }
        let head = self.chain.as_ref().map(Chain::head);
        self.run_alone("SAVEPOINT nested").await?;
        let outcome = match work(self).await {
            Ok(value) => self.settle_nested().await.map(|()| value),
            Err(problem) => Err(problem),
        };
        if outcome.is_err() {
            self.forget_memos();
            self.queued.clear();
            if let (Some(chain), Some(head)) = (self.chain.as_mut(), head) {
                chain.reset(head);
            }
            self.run_alone("ROLLBACK TO SAVEPOINT nested;SET CONSTRAINTS ALL DEFERRED")
                .await?;
            self.failed = false;
        }
        outcome
    }

    async fn settle_nested(&mut self) -> Result<()> {
        self.flush().await?;
        self.run_alone(
            "SET CONSTRAINTS ALL IMMEDIATE;SET CONSTRAINTS ALL DEFERRED;RELEASE SAVEPOINT nested",
        )
        .await
    }

    /// Takes back everything done since [`TenantTx::mark`].
    pub async fn undo(&mut self, mark: Mark) -> Result<()> {
        self.forget_memos();
        self.queued.clear();
        if let (Some(chain), Some(head)) = (self.chain.as_mut(), mark.0) {
            chain.reset(head);
        }
        self.run_alone("ROLLBACK TO SAVEPOINT mark").await?;
        self.failed = false;
        Ok(())
    }

    /// A point to which [`TenantTx::undo`] can go back.
    pub async fn mark(&mut self) -> Result<Mark> {
        self.flush().await?;
        if self.opening.is_some() {
            self.run(async |_| Ok(())).await?;
        }
        let head = self.chain.as_ref().map(Chain::head);
        self.run_alone("SAVEPOINT mark").await?;
        Ok(Mark(head))
    }
}
