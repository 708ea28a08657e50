//! What may happen to groups, and how its events are told and delivered.

use proptest::prelude::*;

use super::history::RULES;

#[derive(Debug, Clone)]
pub(super) struct Change {
    /// Milliseconds since the change before.
    pub(super) gap: u64,
    /// Which of the groups that there were until then.
    pub(super) group: usize,
    pub(super) actor: u8,
    pub(super) kind: Kind,
    /// How many milliseconds each delivery of its event takes, beyond the least that the weather has.
    pub(super) deliveries: Vec<u64>,
    /// How many milliseconds EC2 goes on showing what was before, where its answers never go back.
    pub(super) lag: u64,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Authorize(usize, Tells),
    Revoke(usize, Tells),
    /// Revokes a rule and authorizes it anew.
    Replace(usize),
    Modify(usize, usize),
    ModifyEgress(usize),
    Tag,
    Create,
    CreateVpc,
    Delete,
}

/// How an event tells the group and the rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Tells {
    Ids,
    /// The group's id, and the rule as it was asked for.
    Request,
    /// The group's name, and the rule as it was asked for.
    Name,
    /// Neither: the parameters were too long for CloudTrail.
    Nothing,
}

pub(super) fn changes() -> impl Strategy<Value = Vec<Change>> {
    let rule = || 0..RULES.len();
    let tells = || {
        prop_oneof![
            5 => Just(Tells::Ids),
            2 => Just(Tells::Request),
            1 => Just(Tells::Name),
            1 => Just(Tells::Nothing),
        ]
    };
    let kind = prop_oneof![
        8 => (rule(), tells()).prop_map(|(rule, tells)| Kind::Authorize(rule, tells)),
        5 => (0..4_usize, tells()).prop_map(|(nth, tells)| Kind::Revoke(nth, tells)),
        2 => (0..4_usize).prop_map(Kind::Replace),
        4 => (0..4_usize, rule()).prop_map(|(nth, rule)| Kind::Modify(nth, rule)),
        1 => rule().prop_map(Kind::ModifyEgress),
        2 => Just(Kind::Tag),
        1 => Just(Kind::Create),
        1 => Just(Kind::CreateVpc),
        1 => Just(Kind::Delete),
    ];
    let gap = prop_oneof![
        3 => Just(0_u64),
        3 => 0..1_500_u64,
        3 => 1_500..12_000_u64,
        1 => 12_000..400_000_u64,
    ];
    // Most of it happens to one group.
    let group = prop_oneof![2 => Just(0_usize), 1 => 0..4_usize];
    let delivery = || {
        prop_oneof![
            4 => 0..3_000_u64,
            3 => 3_000..30_000_u64,
            1 => 30_000..400_000_u64,
            1 => 80_000_000..180_000_000_u64,
        ]
    };
    let deliveries =
        (delivery(), proptest::collection::vec(delivery(), 0..3)).prop_map(|(first, mut more)| {
            more.push(first);
            more
        });
    let change = (gap, group, 0..4_u8, kind, deliveries, 0..u64::MAX).prop_map(
        |(gap, group, actor, kind, deliveries, lag)| Change {
            gap,
            group,
            actor,
            kind,
            deliveries,
            lag,
        },
    );
    proptest::collection::vec(change, 1..14)
}
