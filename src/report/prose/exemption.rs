//! What is said about exemptions.

use super::{protocol_before_noun, ranges};
use crate::model::ports::PortSet;
use crate::policy::exemption::{Alert, Allow, AllowedTraffic, Concern, Difference, Exemption};
use crate::text::{escape, truncate, utf16_len};

/// `reason (owner platform@example.com, until 2027-06-30)`.
#[must_use]
pub fn describe_exemption(exemption: &Exemption) -> String {
    describe_exemption_within(exemption, usize::MAX)
}

/// The same in no more than so many UTF-16 units: the reason is cut, owner and end stay.
#[must_use]
pub fn describe_exemption_within(exemption: &Exemption, most: usize) -> String {
    let owner = exemption
        .owner
        .as_ref()
        .map(|owner| format!("owner {}", escape(owner)));
    let until = exemption.until.map(|until| format!("until {until}"));
    let notes: Vec<_> = owner.into_iter().chain(until).collect();
    let notes = if notes.is_empty() {
        String::new()
    } else {
        format!(" ({})", notes.join(", "))
    };
    let reason = escape(&exemption.reason);
    let reason = truncate(&reason, most.saturating_sub(utf16_len(&notes)));
    format!("{reason}{notes}")
}

/// `tcp 22, 1024-65535 and udp 53`.
#[must_use]
pub fn describe_allow(allow: &Allow) -> String {
    let describe = |AllowedTraffic { protocol, ports }: &AllowedTraffic| {
        let of = protocol_before_noun(protocol);
        if *ports == PortSet::all() {
            format!("all {of}traffic")
        } else if protocol.is_all() {
            format!("ports {} of every protocol", ranges(ports))
        } else {
            format!("{of}{}", ranges(ports))
        }
    };
    match allow {
        Allow::AllTraffic => "all traffic".to_owned(),
        Allow::Traffic(traffic) => traffic
            .iter()
            .map(describe)
            .collect::<Vec<_>>()
            .join(" and "),
    }
}

/// Why an exemption does not match.
#[must_use]
pub fn describe_difference(difference: &Difference<'_>) -> String {
    match difference {
        Difference::TargetId(id) => format!("the group is not {id}"),
        Difference::TargetName(glob) => {
            format!("the group's name is not {}", escape(glob.as_str()))
        }
        Difference::TargetVpc(vpc) => format!("the group is not in {vpc}"),
        Difference::TargetAccount(account) => format!("the group is not of account {account}"),
        Difference::TargetHasNoTag(key) => format!("the group has no tag {}", escape(key)),
        Difference::TargetTag(key, glob) => format!(
            "the group's tag {} is not {}",
            escape(key),
            escape(glob.as_str())
        ),
        Difference::TargetIsNoDefaultGroup => {
            "the group is not the default group of a VPC".to_owned()
        }
        Difference::SourceIsNotItself => "the source is not the group itself".to_owned(),
        Difference::SourceIsNotOfSameAccount => {
            "the source is not known to be of the same account".to_owned()
        }
        Difference::SourceId(id) => format!("the source is not {id}"),
        Difference::SourceForeign(id, account) => {
            format!("the source is not known to be {id} of account {account}")
        }
    }
}

#[must_use]
pub fn describe_alert(alert: &Alert) -> String {
    let id = escape(&alert.id);
    match alert.concern {
        Concern::Ended { until } => {
            format!("exemption {id} ended on {until}: remove it, or renew it with a reason")
        }
        Concern::EndsSoon { until, days: 1 } => {
            format!("exemption {id} ends on {until}, in 1 day")
        }
        Concern::EndsSoon { until, days } => {
            format!("exemption {id} ends on {until}, in {days} days")
        }
        Concern::Unused => {
            format!("exemption {id} matched no violation: is it still needed, and is it right?")
        }
    }
}
