//! Plans for the groups of the live account.

use std::collections::BTreeSet;

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::civil::Date;
use sg_trust::aws::ec2::Ec2;
use sg_trust::aws::{Account, Timeouts};
use sg_trust::engine::source::{GroupSource as _, Owner, Query};
use sg_trust::model::{GroupId, Region, Scope, SecurityGroup};
use sg_trust::policy::{ReferencedGroups, Settings, Status, day_of, evaluate};
use sg_trust::remediation::carriers::Carriers;
use sg_trust::remediation::plan::{Plan, Planner, Request};
use sg_trust::remediation::rule::GroupRules;
use sg_trust::remediation::run;

use super::{choose, without_passed};

/// The account of the operator's credentials in one Region.
pub(super) struct Live<'a> {
    pub(super) edge: Ec2,
    pub(super) scope: Scope,
    pub(super) settings: &'a Settings,
    pub(super) today: Date,
    pub(super) now: Timestamp,
}

/// A plan, with who carries the groups in it.
pub(super) struct Planned {
    pub(super) plan: Plan,
    pub(super) carriers: Option<Carriers>,
}

impl<'a> Live<'a> {
    pub(super) async fn sign_in(
        region: Option<&Region>,
        settings: &'a Settings,
    ) -> anyhow::Result<Self> {
        let account = Account::sign_in(region).await?;
        let now = Timestamp::now();
        Ok(Self {
            edge: account.source(Timeouts::SWEEP),
            scope: account.scope().clone(),
            settings,
            today: day_of(now),
            now,
        })
    }

    /// How plans are made here. Who is referenced changes severities only, which no plan looks at.
    pub(super) fn planner<'p>(
        &'p self,
        request: &'p Request,
        referenced: &'p ReferencedGroups,
    ) -> Planner<'p> {
        Planner {
            settings: self.settings,
            referenced,
            today: self.today,
            account: Some(&self.scope.account),
            region: Some(&self.scope.region),
            request,
        }
    }

    /// The plan for the groups that are named, or for all that are FAILED.
    pub(super) async fn plan(
        &self,
        names: &[String],
        all_failed: bool,
        request: &Request,
    ) -> anyhow::Result<Planned> {
        let groups = self.groups(names).await?;
        let place = format!("account {}, {}", self.scope.account, self.scope.region);
        let chosen = choose(&groups, names, &place)?;
        let none = ReferencedGroups::default();
        let verdict = |group: &SecurityGroup| evaluate(self.settings, group, &none, self.today);
        let is_looked_at =
            |group: &&&SecurityGroup| !all_failed || verdict(group).status == Status::Failed;
        let chosen = chosen.iter().filter(is_looked_at);
        let ids: Vec<_> = chosen.map(|group| group.group_id.clone()).collect();
        self.plan_of(&ids, all_failed, request).await
    }

    async fn plan_of(
        &self,
        ids: &[GroupId],
        all_failed: bool,
        request: &Request,
    ) -> anyhow::Result<Planned> {
        let targets = run::look(&self.edge, ids).await?;
        let targets = self.with_names(targets).await;
        let referenced = ReferencedGroups::default();
        let plan = self.planner(request, &referenced).plan(&targets)?;
        let carriers = self.carriers(&plan).await;
        Ok(Planned {
            plan: without_passed(plan, all_failed),
            carriers,
        })
    }

    /// The groups that are named by their ids; all groups where one is named by its name, or none is named.
    async fn groups(&self, names: &[String]) -> anyhow::Result<Vec<SecurityGroup>> {
        let ids: Option<Vec<_>> = names.iter().map(|name| GroupId::parse(name)).collect();
        if let Some(ids) = ids.filter(|ids| !ids.is_empty()) {
            let found = self.edge.find(Query::Ids(&ids), Owner::Any).await?;
            return Ok(found.groups.into_iter().map(|one| one.group).collect());
        }
        let mut groups = Vec::new();
        let mut next = None;
        loop {
            let page = self.edge.page(next).await?;
            groups.extend(page.groups.into_iter().map(|one| one.group));
            next = page.next;
            if next.is_none() {
                return Ok(groups);
            }
        }
    }

    /// With the names of the sources, as far as EC2 tells them: a plan is made without them too.
    pub(super) async fn with_names(&self, targets: Vec<GroupRules>) -> Vec<GroupRules> {
        let sources = targets.iter().flat_map(|target| target.group.sources());
        let sources: BTreeSet<_> = sources.cloned().collect();
        let sources: Vec<_> = sources.into_iter().collect();
        if sources.is_empty() {
            return targets;
        }
        let Ok(found) = self.edge.find(Query::Ids(&sources), Owner::Any).await else {
            return targets;
        };
        let groups: Vec<_> = found.groups.into_iter().map(|one| one.group).collect();
        let named = targets.into_iter().map(|one| one.with_names_of(&groups));
        named.collect()
    }

    /// Who carries the groups of a plan and their sources; none where that may not be asked.
    pub(super) async fn carriers(&self, plan: &Plan) -> Option<Carriers> {
        let groups = plan.groups.iter();
        let ids: BTreeSet<_> = groups
            .flat_map(|group| group.group.sources().chain([&group.group.group_id]))
            .cloned()
            .collect();
        let ids: Vec<_> = ids.into_iter().collect();
        if ids.is_empty() {
            return None;
        }
        let interfaces = self.edge.interfaces_of(&ids).await.ok()?;
        Some(interfaces.iter().collect())
    }

    /// Whether a plan or journal of this account and Region.
    pub(super) fn ensure_is_place(
        &self,
        file: &str,
        account: Option<&sg_trust::model::AccountId>,
        region: Option<&Region>,
    ) -> anyhow::Result<()> {
        ensure_same(
            file,
            "account",
            account.map(|one| one.as_str()),
            self.scope.account.as_str(),
        )?;
        ensure_same(
            file,
            "Region",
            region.map(Region::as_str),
            self.scope.region.as_str(),
        )
    }
}

fn ensure_same(file: &str, what: &str, wanted: Option<&str>, own: &str) -> anyhow::Result<()> {
    let wanted = wanted.filter(|wanted| *wanted != own);
    wanted.map_or(Ok(()), |wanted| {
        Err(anyhow::anyhow!(
            "it is for {what} {wanted}, and the credentials and --region are for {own}"
        ))
        .with_context(|| file.to_owned())
    })
}
