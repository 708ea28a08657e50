//! How long a run waits for EC2 and for Security Hub: a source and a store that measure their calls.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::engine::source::{GroupSource, Observation, Owner, Page, Query, SourceError};
use crate::engine::store::{FindingFilter, FindingStore, PublishedPage, StoreError};
use crate::finding::Finding;
use crate::model::{GroupId, GroupRule};

/// An edge that measures its calls.
#[derive(Debug)]
pub(super) struct Timed<E> {
    edge: E,
    nanoseconds: AtomicU64,
}

impl<E> Timed<E> {
    pub(super) fn new(edge: E) -> Self {
        Self {
            edge,
            nanoseconds: AtomicU64::new(0),
        }
    }

    /// The time that all calls took together.
    pub(super) fn spent(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed))
    }

    async fn measure<T>(&self, call: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let answer = call.await;
        let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(took, Ordering::Relaxed);
        answer
    }
}

impl<S: GroupSource + Sync> GroupSource for Timed<S> {
    async fn find(&self, query: Query<'_>, owner: Owner) -> Result<Observation, SourceError> {
        self.measure(self.edge.find(query, owner)).await
    }

    async fn rules(&self, ids: &[GroupId]) -> Result<Vec<GroupRule>, SourceError> {
        self.measure(self.edge.rules(ids)).await
    }

    fn is_live(&self) -> bool {
        self.edge.is_live()
    }

    async fn page(&self, after: Option<String>) -> Result<Page, SourceError> {
        self.measure(self.edge.page(after)).await
    }
}

impl<K: FindingStore + Sync> FindingStore for Timed<K> {
    async fn publish(&self, findings: &[Finding]) -> Result<(), StoreError> {
        self.measure(self.edge.publish(findings)).await
    }

    async fn published(
        &self,
        filter: FindingFilter<'_>,
        after: Option<String>,
    ) -> Result<PublishedPage, StoreError> {
        self.measure(self.edge.published(filter, after)).await
    }
}
