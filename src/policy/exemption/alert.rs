//! Exemptions that somebody should look at: they have ended, end soon, or are of no use.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::Exemption;
use crate::model::{AccountId, SecurityGroup};
use crate::policy::Verdict;

/// An exemption is said to end soon so many days before its end.
const SOON: i32 = 30;

/// Which exemptions were of use in a run over groups, and whose groups these were.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    matched: BTreeSet<usize>,
    accounts: BTreeSet<AccountId>,
}

impl Usage {
    /// Notes which exemptions matched a violation of a group.
    pub fn note(&mut self, group: &SecurityGroup, verdict: &Verdict) {
        for violation in &verdict.violations {
            self.matched.extend(&violation.matched);
        }
        if let Some(owner) = &group.owner_id
            && !self.accounts.contains(owner)
        {
            self.accounts.insert(owner.clone());
        }
    }

    /// Adds those of another run.
    pub fn join(&mut self, other: &Self) {
        self.matched.extend(&other.matched);
        for account in &other.accounts {
            if !self.accounts.contains(account) {
                self.accounts.insert(account.clone());
            }
        }
    }

    /// The accounts that own the groups.
    #[must_use]
    pub fn accounts(&self) -> &BTreeSet<AccountId> {
        &self.accounts
    }
}

/// An exemption that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// The exemption's id.
    pub id: String,
    pub concern: Concern,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// It does not hold any more.
    Ended {
        until: Date,
    },
    EndsSoon {
        until: Date,
        days: i32,
    },
    /// It matched no violation.
    Unused,
}

impl Alert {
    #[must_use]
    pub fn is_ending(&self) -> bool {
        matches!(self.concern, Concern::EndsSoon { .. })
    }
}

/// The exemptions that somebody should look at on a day. Those of other accounts than these are left out, since one
/// settings file may serve many; without accounts none is. `usage` is given after a run over **all** groups: what was not
/// evaluated might have needed an exemption.
#[must_use]
pub fn alerts(
    exemptions: &[Exemption],
    accounts: Option<&BTreeSet<AccountId>>,
    usage: Option<&Usage>,
    today: Date,
) -> Vec<Alert> {
    let mut alerts = Vec::new();
    for (number, exemption) in exemptions.iter().enumerate() {
        let of_target = exemption.target.account.as_ref();
        if accounts
            .zip(of_target)
            .is_some_and(|(accounts, of_target)| !accounts.contains(of_target))
        {
            continue;
        }
        let mut alert = |concern| {
            alerts.push(Alert {
                id: exemption.id.clone(),
                concern,
            });
        };
        if let Some(until) = exemption.until {
            let days = (until - today).get_days();
            if days < 0 {
                alert(Concern::Ended { until });
                continue;
            }
            if days <= SOON {
                alert(Concern::EndsSoon { until, days });
            }
        }
        if usage.is_some_and(|usage| !usage.matched.contains(&number)) {
            alert(Concern::Unused);
        }
    }
    alerts
}
