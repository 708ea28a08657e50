//! A source of groups that keeps what it showed, for `scan --save` and `scan --report`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use sg_trust::aws::ec2::Ec2;
use sg_trust::engine::source::{
    GroupSource, Observation, Observed, Owner, Page, Query, SourceError,
};
use sg_trust::input::SavedScope;
use sg_trust::model::{AccountId, GroupId, GroupRule, Scope, SecurityGroup};

use crate::report::Live;

/// Another source, with the account's own groups that it showed.
pub(crate) struct Recorder<S> {
    source: S,
    account: AccountId,
    /// Absent when nothing is kept.
    groups: Option<Mutex<BTreeMap<GroupId, SecurityGroup>>>,
}

impl<S> Recorder<S> {
    pub(crate) fn new(source: S, scope: &Scope, records: bool) -> Self {
        Self {
            source,
            account: scope.account.clone(),
            groups: records.then(Mutex::default),
        }
    }

    fn record(&self, observed: &[Observed]) {
        let Some(groups) = &self.groups else {
            return;
        };
        let mut groups = groups.lock().unwrap_or_else(PoisonError::into_inner);
        for Observed { group, .. } in observed {
            if group.owner_id.as_ref() == Some(&self.account) {
                groups.insert(group.group_id.clone(), group.clone());
            }
        }
    }

    /// The groups by id, as they were shown last.
    fn groups(&self) -> Vec<SecurityGroup> {
        let groups = self.groups.as_ref().map(|groups| {
            let groups = groups.lock().unwrap_or_else(PoisonError::into_inner);
            groups.values().cloned().collect()
        });
        groups.unwrap_or_default()
    }
}

impl<S: GroupSource + Sync> GroupSource for Recorder<S> {
    async fn find(&self, query: Query<'_>, owner: Owner) -> Result<Observation, SourceError> {
        let observation = self.source.find(query, owner).await?;
        self.record(&observation.groups);
        Ok(observation)
    }

    async fn rules(&self, ids: &[GroupId]) -> Result<Vec<GroupRule>, SourceError> {
        self.source.rules(ids).await
    }

    fn is_live(&self) -> bool {
        self.source.is_live()
    }

    async fn page(&self, after: Option<String>) -> Result<Page, SourceError> {
        let page = self.source.page(after).await?;
        self.record(&page.groups);
        Ok(page)
    }
}

/// The groups that a sweep saw, and with them the network interfaces if they are wanted.
pub(crate) async fn recorded(
    seen: &Recorder<Ec2>,
    scope: &Scope,
    with_interfaces: bool,
) -> anyhow::Result<Live> {
    let interfaces = if with_interfaces {
        let read = seen.source.interfaces().await;
        Some(read.context("the network interfaces could not be read (without --interfaces the groups are kept alone)")?)
    } else {
        None
    };
    Ok(Live {
        region: scope.region.clone(),
        groups: seen.groups(),
        interfaces,
    })
}

/// Keeps what was read. Says what was kept.
pub(crate) fn keep(live: &Live, file: &SavedScope) -> anyhow::Result<String> {
    file.write(&live.groups, live.interfaces.as_deref())?;
    let and_interfaces = live
        .interfaces
        .as_ref()
        .map(|interfaces| format!(" and {} network interface(s)", interfaces.len()))
        .unwrap_or_default();
    Ok(format!(
        "{} has {} security group(s){and_interfaces}",
        file.path().display(),
        live.groups.len()
    ))
}
