//! What `check` does with one group by itself, on any core: the verdict, and the group as an element of the report.

use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use sg_trust::finding::{Context, Finding, Passed};
use sg_trust::input::{Identities, Identity};
use sg_trust::model::{GroupId, Partition, Region, Scope, SecurityGroup};
use sg_trust::policy::exemption::Usage;
use sg_trust::policy::{ReferencedGroups, Settings, Status, Verdict, day_of};
use sg_trust::report::assessment::Origin;
use sg_trust::report::{Format, Piece};

use crate::region::Regions;

/// How groups are evaluated and shown.
pub(crate) struct Evaluation<'a> {
    pub(crate) policy: &'a Settings,
    pub(crate) regions: Regions,
    pub(crate) format: Format,
    pub(crate) identities: Identities,
    pub(crate) now: Timestamp,
}

/// As much as can be done with a group by itself.
pub(crate) struct Begun {
    pub(crate) identity: Identity,
    pub(crate) work: Work,
}

pub(crate) enum Work {
    Done(Element),
    /// With `[sensitivity]` the verdict depends on other groups.
    Waits(Box<SecurityGroup>),
}

/// A group as an element of the report.
pub(crate) struct Element {
    pub(crate) group_id: GroupId,
    pub(crate) status: Status,
    pub(crate) usage: Usage,
    pub(crate) piece: anyhow::Result<Piece>,
}

impl Evaluation<'_> {
    pub(crate) fn begin(&self, file: Option<&str>, group: SecurityGroup) -> Begun {
        let identity = self.identities.of(&group);
        let work = if self.policy.sensitivity.is_some() {
            Work::Waits(Box::new(group))
        } else {
            let verdict = self.verdict(&group, &ReferencedGroups::default());
            Work::Done(self.element(file, group, &verdict))
        };
        Begun { identity, work }
    }

    pub(crate) fn verdict(&self, group: &SecurityGroup, referenced: &ReferencedGroups) -> Verdict {
        sg_trust::policy::evaluate(self.policy, group, referenced, day_of(self.now))
    }

    pub(crate) fn element(
        &self,
        file: Option<&str>,
        group: SecurityGroup,
        verdict: &Verdict,
    ) -> Element {
        let mut usage = Usage::default();
        if !self.policy.exemptions.is_empty() {
            usage.note(&group, verdict);
        }
        let group_id = group.group_id.clone();
        Element {
            group_id,
            status: verdict.status,
            usage,
            piece: self.piece(file, group, verdict),
        }
    }

    fn piece(
        &self,
        file: Option<&str>,
        group: SecurityGroup,
        verdict: &Verdict,
    ) -> anyhow::Result<Piece> {
        let has_commands = !verdict.violations.is_empty();
        let needs_place = has_commands || self.format.is_of_findings() || self.regions.is_given();
        let place = if needs_place {
            self.regions.find(&group)?
        } else {
            None
        };
        if self.format.is_of_findings() {
            let finding = self.finding(group, verdict, place)?;
            return Ok(self.format.finding(&finding)?);
        }
        let origin = Origin {
            file,
            partition: place.as_ref().map(|(partition, _)| partition),
            region: place.as_ref().map(|(_, region)| region),
        };
        Ok(self.format.group(&group, verdict, origin)?)
    }

    fn finding(
        &self,
        group: SecurityGroup,
        verdict: &Verdict,
        place: Option<(Partition, Region)>,
    ) -> anyhow::Result<Finding> {
        let (partition, region) = place.context(
            "its Region is not known: give --region, set AWS_REGION, or keep SecurityGroupArn in the input",
        )?;
        let owner = group.owner_id.clone();
        let account =
            owner.context("it has no OwnerId: the account of a finding is the group's owner")?;
        let context = Context {
            scope: Scope {
                partition,
                region,
                account,
            },
            passed: Passed::default(),
            related_requirements: self.policy.related_requirements.clone(),
        };
        Ok(Finding::evaluated(
            &Arc::new(context),
            self.now,
            group,
            verdict.clone(),
        ))
    }
}
