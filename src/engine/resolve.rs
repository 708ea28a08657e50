//! From names, VPCs and references to the groups that they mean.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{Failures, Plan, Request, messages_of};
use super::source::{GroupSource, Observation, Observed, Owner, Query};
use super::staleness::WAITS;
use super::store::{FILTER_VALUES, FindingFilter, FindingStore};
use super::{Engine, EngineError};
use crate::model::{GroupId, VpcId};

/// The groups that a plan asks for.
#[derive(Debug, Default)]
pub(super) struct Resolved<'t> {
    pub(super) requests: BTreeMap<GroupId, Request<'t>>,
    /// Groups that were fetched to find out which they are.
    pub(super) found: BTreeMap<GroupId, Observed>,
    /// VPCs that events say are gone, with the groups in them, whoever asks for those.
    pub(super) gone_vpcs: BTreeMap<VpcId, Request<'t>>,
    /// Why targets are left alone.
    pub(super) ignored: BTreeSet<String>,
    pub(super) failures: Failures,
    /// Answers that were older than an event.
    pub(super) stale_reads: u64,
}

impl<'t> Resolved<'t> {
    /// A stage in which every request failed.
    fn failed(requests: &BTreeMap<impl Ord, Request<'t>>, error: impl Into<EngineError>) -> Self {
        Self {
            failures: Failures::of(messages_of(requests.values()), error),
            ..Self::default()
        }
    }

    /// Both together.
    fn and(mut self, other: Self) -> Self {
        for (id, request) in other.requests {
            self.ask(id, &request);
        }
        self.found.extend(other.found);
        self.gone_vpcs.extend(other.gone_vpcs);
        self.ignored.extend(other.ignored);
        self.failures.join(other.failures);
        self.stale_reads += other.stale_reads;
        self
    }

    fn ask(&mut self, id: GroupId, request: &Request<'t>) {
        let asked = self.requests.remove(&id).unwrap_or_default();
        self.requests.insert(id, asked.joined(request));
    }

    fn find(&mut self, observed: Observed, request: &Request<'t>) {
        let id = observed.group.group_id.clone();
        self.ask(id.clone(), request);
        self.found.insert(id, observed);
    }
}

impl<S: GroupSource, K: FindingStore> Engine<'_, S, K> {
    /// The groups that a plan asks for, under whatever name.
    pub(super) async fn resolve<'t>(&self, plan: &Plan<'t>) -> Resolved<'t> {
        let by_id = Resolved {
            requests: plan.groups.clone(),
            ..Resolved::default()
        };
        by_id
            .and(self.resolve_names(&plan.names).await)
            .and(self.resolve_default_groups(&plan.default_groups).await)
            .and(self.resolve_vpcs(&plan.vpcs).await)
            .and(self.resolve_referencing(&plan.referenced).await)
    }

    /// The groups that let in those whose tags changed.
    async fn resolve_referencing<'t>(
        &self,
        wanted: &BTreeMap<GroupId, Request<'t>>,
    ) -> Resolved<'t> {
        if wanted.is_empty() {
            return Resolved::default();
        }
        let ids: Vec<_> = wanted.keys().cloned().collect();
        let query = Query::Referencing(&ids);
        let observation = match self.source.find(query, Owner::This).await {
            Ok(observation) => observation,
            Err(error) => return Resolved::failed(wanted, error),
        };
        let mut resolved = Resolved::default();
        for observed in observation.groups {
            let sources: BTreeSet<_> = observed.group.sources().cloned().collect();
            let of_sources = sources.iter().filter_map(|source| wanted.get(source));
            let request = of_sources.fold(Request::default(), |all, of_source| {
                all.joined(&of_source.by_reference())
            });
            resolved.find(observed, &request);
        }
        resolved
    }

    async fn resolve_names<'t>(&self, wanted: &BTreeMap<String, Request<'t>>) -> Resolved<'t> {
        if wanted.is_empty() {
            return Resolved::default();
        }
        let names: Vec<_> = wanted.keys().cloned().collect();
        let observation = match self.source.find(Query::Names(&names), Owner::This).await {
            Ok(observation) => observation,
            Err(error) => return Resolved::failed(wanted, error),
        };
        let mut resolved = Resolved::default();
        for (name, request) in wanted {
            let all = observation.groups.iter();
            let mut named = all.filter(|observed| observed.group.is_named(name));
            match (named.next(), named.next()) {
                (Some(observed), None) => resolved.find(observed.clone(), request),
                (None, _) => resolved
                    .failures
                    .add(request.messages(), EngineError::NoSuchName(name.clone())),
                (Some(_), Some(_)) => resolved
                    .failures
                    .add(request.messages(), EngineError::Ambiguous(name.clone())),
            }
        }
        resolved
    }

    /// The default groups of VPCs that events prove to exist: looked for again while EC2 does not show them.
    async fn resolve_default_groups<'t>(
        &self,
        wanted: &BTreeMap<VpcId, Request<'t>>,
    ) -> Resolved<'t> {
        let mut resolved = Resolved::default();
        let mut wanted = wanted.clone();
        let mut waits = WAITS.into_iter();
        while !wanted.is_empty() {
            let vpcs: Vec<_> = wanted.keys().cloned().collect();
            let query = Query::DefaultGroupsOf(&vpcs);
            let Observation { groups, at } = match self.source.find(query, Owner::This).await {
                Ok(observation) => observation,
                Err(error) => return resolved.and(Resolved::failed(&wanted, error)),
            };
            for observed in groups {
                let vpc = observed.group.vpc_id.as_ref();
                if let Some(request) = vpc.and_then(|vpc| wanted.remove(vpc)) {
                    resolved.find(observed, &request);
                }
            }
            let is_stale = |request: &Request<'_>| {
                self.source.is_live() && !request.claims().contradictions(None, at).is_empty()
            };
            let stale = wanted.values().filter(|request| is_stale(request)).count();
            resolved.stale_reads += u64::try_from(stale).unwrap_or_default();
            if stale > 0 && self.wait(waits.next()).await {
                continue;
            }
            for (vpc, request) in std::mem::take(&mut wanted) {
                if is_stale(&request) {
                    let what = format!("the default security group of {vpc}");
                    resolved
                        .failures
                        .add(request.messages(), EngineError::Stale(what));
                } else {
                    resolved
                        .ignored
                        .insert(format!("{vpc} has no default security group any more"));
                }
            }
        }
        resolved
    }

    /// The groups whose active findings say that they were in the VPCs.
    async fn resolve_vpcs<'t>(&self, wanted: &BTreeMap<VpcId, Request<'t>>) -> Resolved<'t> {
        let mut resolved = Resolved {
            gone_vpcs: wanted.clone(),
            ..Resolved::default()
        };
        let all: Vec<_> = wanted.keys().cloned().collect();
        for vpcs in all.chunks(FILTER_VALUES) {
            let asked = wanted.iter().filter(|(vpc, _)| vpcs.contains(vpc));
            let published = match self.published(FindingFilter::InVpcs(vpcs)).await {
                Ok(published) => published,
                Err(error) => {
                    let messages = messages_of(asked.map(|(_, request)| request));
                    resolved.failures.add(messages, error);
                    continue;
                }
            };
            let mut found = BTreeMap::<_, Vec<GroupId>>::new();
            for finding in published {
                if let Some(vpc) = finding.vpc_id {
                    found.entry(vpc).or_default().push(finding.group_id);
                }
            }
            for (vpc, request) in asked {
                let ids = found.remove(vpc).unwrap_or_default();
                if ids.is_empty() {
                    let why = format!("no active finding is of a security group in {vpc}");
                    resolved.ignored.insert(why);
                }
                for id in ids {
                    resolved.ask(id, request);
                }
            }
        }
        resolved
    }
}
