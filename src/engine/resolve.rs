//! From names, VPCs and references to the groups that they mean.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{Failures, Plan, Request, messages_of};
use super::staleness::WAITS;
use super::{Engine, EngineError};
use crate::engine::source::{GroupSource, Observation, Owner, Query};
use crate::engine::stats::RunStats;
use crate::engine::store::{self, FindingFilter, FindingStore};
use crate::model::GroupId;

impl<S: GroupSource, K: FindingStore> Engine<'_, S, K> {
    /// Turns names and VPCs into groups.
    pub(super) async fn resolve(
        &self,
        work: &mut Plan<'_>,
        failures: &mut Failures,
        trace: &mut RunStats,
    ) {
        self.resolve_names(work, failures, trace).await;
        self.resolve_default_groups(work, failures, trace).await;
        self.resolve_vpcs(work, failures, trace).await;
        self.resolve_referencing(work, failures, trace).await;
    }

    /// The groups that let in those whose tags changed.
    async fn resolve_referencing(
        &self,
        work: &mut Plan<'_>,
        failures: &mut Failures,
        trace: &mut RunStats,
    ) {
        let referenced = std::mem::take(&mut work.referenced);
        if referenced.is_empty() {
            return;
        }
        let ids: Vec<_> = referenced.keys().cloned().collect();
        let query = Query::Referencing(&ids);
        let Observation { groups, at } = match self.find(query, Owner::This, trace).await {
            Ok(observation) => observation,
            Err(error) => return failures.add(&messages_of(&referenced), error),
        };
        for group in groups {
            let sources: BTreeSet<_> = group.sources().cloned().collect();
            let mut interest = Request::default();
            for source in &sources {
                if let Some(of_source) = referenced.get(source) {
                    interest.join(&of_source.by_reference());
                }
            }
            work.take(group, at, &interest);
        }
    }

    async fn resolve_names(
        &self,
        work: &mut Plan<'_>,
        failures: &mut Failures,
        trace: &mut RunStats,
    ) {
        let wanted = std::mem::take(&mut work.names);
        if wanted.is_empty() {
            return;
        }
        let names: Vec<_> = wanted.keys().cloned().collect();
        let answer = self.find(Query::Names(&names), Owner::This, trace).await;
        let Observation { groups, at } = match answer {
            Ok(observation) => observation,
            Err(error) => return failures.add(&messages_of(&wanted), error),
        };
        for (name, interest) in wanted {
            let mut named = groups.iter().filter(|group| group.is_named(&name));
            match (named.next(), named.next()) {
                (Some(group), None) => work.take(group.clone(), at, &interest),
                (None, _) => failures.add(&interest.messages, EngineError::NoSuchName(name)),
                (Some(_), Some(_)) => {
                    failures.add(&interest.messages, EngineError::Ambiguous(name))
                }
            }
        }
    }

    /// The default groups of VPCs that events prove to exist: looked for again while EC2 does not show them.
    async fn resolve_default_groups(
        &self,
        work: &mut Plan<'_>,
        failures: &mut Failures,
        trace: &mut RunStats,
    ) {
        let mut wanted = std::mem::take(&mut work.default_groups);
        let mut waits = WAITS.into_iter();
        while !wanted.is_empty() {
            let vpcs: Vec<_> = wanted.keys().cloned().collect();
            let query = Query::DefaultGroupsOf(&vpcs);
            let Observation { groups, at } = match self.find(query, Owner::This, trace).await {
                Ok(observation) => observation,
                Err(error) => return failures.add(&messages_of(&wanted), error),
            };
            for group in groups {
                let interest = group.vpc_id.as_ref().and_then(|vpc| wanted.remove(vpc));
                if let Some(interest) = interest {
                    work.take(group, at, &interest);
                }
            }
            let contradiction = |interest: &Request<'_>| {
                interest
                    .expectation()
                    .contradicted_by(None)
                    .filter(|_| self.source.is_live())
            };
            let contradicted = wanted.values().filter_map(contradiction).count();
            trace.stale_reads += u64::try_from(contradicted).unwrap_or_default();
            if contradicted > 0 && self.wait(waits.next()).await {
                continue;
            }
            for (vpc, interest) in std::mem::take(&mut wanted) {
                if contradiction(&interest).is_some_and(|contradiction| contradiction.is_young(at))
                {
                    let what = format!("the default security group of {vpc}");
                    failures.add(&interest.messages, EngineError::Stale(what));
                } else {
                    work.left
                        .insert(format!("{vpc} has no default security group any more"));
                }
            }
        }
    }

    /// The groups whose active findings say that they were in the VPCs.
    async fn resolve_vpcs(
        &self,
        work: &mut Plan<'_>,
        failures: &mut Failures,
        trace: &mut RunStats,
    ) {
        let wanted = std::mem::take(&mut work.vpcs);
        let all: Vec<_> = wanted.keys().cloned().collect();
        for vpcs in all.chunks(store::VALUES) {
            let standing = match self.read(FindingFilter::InVpcs(vpcs), trace).await {
                Ok(standing) => standing,
                Err(error) => {
                    let of_call = wanted.iter().filter(|(vpc, _)| vpcs.contains(vpc));
                    let messages = of_call.flat_map(|(_, interest)| &interest.messages);
                    failures.add(&messages.copied().collect(), error);
                    continue;
                }
            };
            let mut found = BTreeMap::<_, Vec<GroupId>>::new();
            for finding in standing {
                if let Some(vpc) = finding.vpc_id {
                    found.entry(vpc).or_default().push(finding.group_id);
                }
            }
            for (vpc, interest) in wanted.iter().filter(|(vpc, _)| vpcs.contains(vpc)) {
                let ids = found.remove(vpc).unwrap_or_default();
                if ids.is_empty() {
                    work.left
                        .insert(format!("no active finding is of a security group in {vpc}"));
                }
                for id in ids {
                    work.groups.entry(id).or_default().join(interest);
                }
            }
        }
    }
}
